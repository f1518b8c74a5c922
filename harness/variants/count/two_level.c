/*
 * Two levels: a summary says which cache lines of the bitmap have a dirty page; the others are not
 * looked at.
 *
 * Source of the idea: QEMU's HBitmap of 2013, whose upper levels have a bit for every word below.
 * Here a bit stands for a cache line, since skipping part of a line saves no memory traffic.
 * Cost: one load for every 32768 clean pages, and eight population counts for every 512 pages of
 * which any is dirty. Keeping the summary right is paid by merge and mark.
 */
#include "dirtyscan.h"

#define LINE_WORDS (DIRTYSCAN_SUMMARY_PAGES / DIRTYSCAN_WORD_PAGES)
#define ABOVE_PAGES (UINT64_C(64) * DIRTYSCAN_SUMMARY_PAGES)

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("popcnt")))
#else
#define HARDWARE
#endif

HARDWARE
static inline uint64_t bits_of(const uint64_t *words, uint64_t left)
{
    uint64_t dirty = 0, word;

    if (left >= LINE_WORDS) {
        for (word = 0; word < LINE_WORDS; word++) {
            dirty += (uint64_t)__builtin_popcountll(words[word]);
        }
    } else {
        for (word = 0; word < left; word++) {
            dirty += (uint64_t)__builtin_popcountll(words[word]);
        }
    }
    return dirty;
}

HARDWARE
static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t above = (map->pages + ABOVE_PAGES - 1) / ABOVE_PAGES;
    uint64_t index, dirty = 0;

    for (index = 0; index < above; index++) {
        uint64_t lines = map->summary[index];

        for (; lines; lines &= lines - 1) {
            uint64_t line = index * 64 + (uint64_t)__builtin_ctzll(lines);
            uint64_t first = line * LINE_WORDS;

            dirty += bits_of(map->words + first, words - first);
        }
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2013,
    .operation = "count",
    .map = "two-level bitmap",
    .summary = "a summary skips cache lines of the bitmap that are clean; bits counted in others",
#if defined(__x86_64__)
    .requires = "popcnt",
#endif
    .run.count = count,
};
