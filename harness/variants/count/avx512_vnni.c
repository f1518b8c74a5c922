/*
 * AVX-512 VNNI: 64 pages a vector; the flags are added up in words of 32 bits by a dot product.
 *
 * Source of the idea: VPDPBUSD, made for neural networks (Cascade Lake, 2019), multiplies bytes and
 * adds four products to a word. Here it multiplies by 1, so sums need no widening before they
 * overflow, and the inner loop is two instructions a vector. A flag is worth 8.
 * Cost: one load with and, and one dot product, for every 64 pages, whatever the map holds.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR 64
#define LANES 4 /* sums at a time, so that one does not wait for the last */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vnni,popcnt")))

TARGET
static inline __m512i add_flags(__m512i sum, const uint8_t *bytes)
{
    const __m512i flag = _mm512_set1_epi8(DIRTYSCAN_MIGRATION_FLAG);
    const __m512i flags = _mm512_and_si512(_mm512_loadu_si512(bytes), flag);

    return _mm512_dpbusd_epi32(sum, flags, _mm512_set1_epi8(1));
}

/* The sum of the words of `sums` as 64 bits. */
TARGET
static inline uint64_t total_of(__m512i sums)
{
    const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(sums));
    const __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sums, 1));

    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* A word takes the flags of 2^27 vectors, which is more than 2^31 pages have in a lane. */
TARGET
static uint64_t count_pages(const struct dirtyscan_map *map)
{
    const uint8_t *bytes = map->bytes, *end = bytes + map->pages;
    __m512i sums[LANES] = {_mm512_setzero_si512()};
    uint64_t dirty = 0;
    __mmask64 rest;
    int lane;

    for (; (uint64_t)(end - bytes) >= LANES * VECTOR; bytes += LANES * VECTOR) {
#pragma GCC unroll 4
        for (lane = 0; lane < LANES; lane++) {
            sums[lane] = add_flags(sums[lane], bytes + lane * VECTOR);
        }
    }
    for (; (uint64_t)(end - bytes) >= VECTOR; bytes += VECTOR) {
        sums[0] = add_flags(sums[0], bytes);
    }
#pragma GCC unroll 4
    for (lane = 0; lane < LANES; lane++) {
        dirty += total_of(sums[lane]);
    }
    dirty /= DIRTYSCAN_MIGRATION_FLAG;
    if (bytes < end) { /* not with an empty mask, see avx512.c */
        rest = (UINT64_C(1) << (end - bytes)) - 1;
        rest = _mm512_test_epi8_mask(_mm512_maskz_loadu_epi8(rest, bytes),
                                     _mm512_set1_epi8(DIRTYSCAN_MIGRATION_FLAG));
        dirty += (uint64_t)_mm_popcnt_u64(rest);
    }
    return dirty;
}
#else
#define count_pages NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2019,
    .operation = "count",
    .map = "byte map",
    .summary = "64 pages a vector, flags added up by a dot product",
    .requires = "avx512bw avx512_vnni",
    .run.count = count_pages,
};
