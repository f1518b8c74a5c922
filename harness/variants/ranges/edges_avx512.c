/*
 * Edges, eight words at a time: vectors without an edge are skipped, and the edges of a word are
 * written by one compression instead of a loop.
 *
 * Source of the idea: edges.c, and VPCOMPRESSB of AVX-512 VBMI2 (2019), which packs the numbers of
 * the bits that are set.
 * Cost: three instructions for every 512 pages without an edge; a compression, and a widening store
 * for every eight edges, for every word that has some, whatever their number.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR 8 /* words */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt,bmi")))

/* Writes the places of the bits of `edges`, up to seven words more than there are. */
TARGET
static inline uint64_t *add_edges(uint64_t *next, uint64_t edges, uint64_t base)
{
    const __m512i numbers = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const uint64_t count = (uint64_t)_mm_popcnt_u64(edges);
    uint8_t places[64];
    uint64_t done;

    _mm512_storeu_si512(places, _mm512_maskz_compress_epi8(edges, numbers));
    for (done = 0; done < count; done += 8) {
        const __m128i eight = _mm_loadl_epi64((const __m128i *)(places + done));
        const __m512i wide = _mm512_cvtepu8_epi64(eight);
        const __mmask8 there = count - done < 8 ? (__mmask8)((1u << (count - done)) - 1) : 0xff;

        _mm512_mask_storeu_epi64(next + done, there,
                                 _mm512_add_epi64(wide, _mm512_set1_epi64((long long)base)));
    }
    return next + count;
}

/* Ends become lengths, four ranges at a time. */
TARGET
static inline void make_lengths(struct dirtyscan_range *list, uint64_t count)
{
    uint64_t done;

    for (done = 0; count - done >= 4; done += 4) {
        const __m512i pairs = _mm512_loadu_si512(list + done);
        const __m512i firsts = _mm512_maskz_unpacklo_epi64(0xaa, pairs, pairs);

        _mm512_storeu_si512(list + done, _mm512_sub_epi64(pairs, firsts));
    }
    for (; done < count; done++) {
        list[done].pages -= list[done].first;
    }
}

TARGET
static uint64_t list_ranges(const struct dirtyscan_map *map, struct dirtyscan_ranges *out)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t *next = &out->list->first, index = 0, count, before = 0;

    while (index < words) {
        if (words - index >= VECTOR) {
            const __m512i block = _mm512_loadu_si512(map->words + index);
            const __m512i same = _mm512_set1_epi64(-(long long)before);

            if (_mm512_cmpneq_epi64_mask(block, same) == 0) {
                index += VECTOR;
                continue;
            }
        }
        for (uint64_t last = words - index < VECTOR ? words : index + VECTOR; index < last;
             index++) {
            const uint64_t word = map->words[index];
            const uint64_t edges = word ^ (word << 1 | before);

            before = word >> 63;
            if (edges) {
                next = add_edges(next, edges, index * DIRTYSCAN_WORD_PAGES);
            }
        }
    }
    if (before) {
        /* NOLINTNEXTLINE(clang-analyzer-security.ArrayBound): the list is filled as one array */
        *next++ = words * DIRTYSCAN_WORD_PAGES;
    }
    count = (uint64_t)(next - &out->list->first) / 2;
    make_lengths(out->list, count);
    return count;
}
#else
#define list_ranges NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "ranges",
    .map = "bitmap",
    .summary = "edges of runs, a word's written by one compression, 8 words skipped at once",
    .requires = "avx512f avx512bw avx512vl avx512_vbmi2 popcnt",
    .run.ranges = list_ranges,
};
