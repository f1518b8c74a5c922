/*
 * Cache lines that are clean are found by vector loads, and only words that are not 0 are
 * exchanged.
 *
 * Source of the idea: skip_lines.rs, with the vectors of the CPU. A vector load of aligned words
 * takes each word as a whole on every CPU that has these vectors, though the architecture promises
 * it only for up to 16 bytes; a word that is seen as 0 is left for the next time, so nothing is
 * lost either way.
 * Cost: one load and test for every 256 clean pages; an atomic exchange for every word with a dirty
 * page.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR 4 /* words */
#define TARGET __attribute__((target("avx2")))

static inline void take(uint64_t *word, uint64_t *taken)
{
    if (__atomic_load_n(word, __ATOMIC_RELAXED)) {
        *taken = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
    }
}

TARGET
static void drain_map(struct dirtyscan_map *map, uint64_t *taken)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t index = 0, inside;

    for (; words - index >= 4 * VECTOR; index += 4 * VECTOR) {
        const __m256i *line = (const __m256i *)(map->words + index);
        const __m256i first =
            _mm256_or_si256(_mm256_loadu_si256(line), _mm256_loadu_si256(line + 1));
        const __m256i second =
            _mm256_or_si256(_mm256_loadu_si256(line + 2), _mm256_loadu_si256(line + 3));
        const __m256i any = _mm256_or_si256(first, second);

        if (!_mm256_testz_si256(any, any)) {
            for (inside = index; inside < index + 4 * VECTOR; inside++) {
                take(&map->words[inside], &taken[inside]);
            }
        }
    }
    for (; index < words; index++) {
        take(&map->words[index], &taken[index]);
    }
}
#else
#define drain_map NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "drain",
    .map = "bitmap",
    .summary = "clean cache lines are skipped two at a time by vector loads",
    .requires = "avx2",
    .run.drain = drain_map,
};
