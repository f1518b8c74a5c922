/*
 * Clean stretches skipped by vectors of four words.
 *
 * Source of the idea: find_next_inline.c, with AVX2 (2013) once the page's own word is empty.
 * Cost: a shift and test for every dirty page behind another; one load and test for every 256 clean
 * pages.
 */
#include "finding.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR 4 /* words */
#define TARGET __attribute__((target("avx2")))

TARGET
static uint64_t search(const struct dirtyscan_map *map, uint64_t index)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;

    for (; index < words && words - index >= VECTOR; index += VECTOR) {
        const __m256i four = _mm256_loadu_si256((const __m256i *)(map->words + index));

        if (!_mm256_testz_si256(four, four)) {
            break;
        }
    }
    for (; index < words; index++) {
        if (map->words[index]) {
            return index * DIRTYSCAN_WORD_PAGES + (uint64_t)__builtin_ctzll(map->words[index]);
        }
    }
    return map->pages;
}

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    const uint64_t word = map->words[from / DIRTYSCAN_WORD_PAGES] >> from % DIRTYSCAN_WORD_PAGES;

    return word ? from + (uint64_t)__builtin_ctzll(word)
                : search(map, from / DIRTYSCAN_WORD_PAGES + 1);
}
#else
#define next_dirty NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2013,
    .operation = "next",
    .map = "bitmap",
    .summary = "the page's own word first, then four clean words at once",
    .requires = "avx2",
    .run.next = next_dirty,
};
