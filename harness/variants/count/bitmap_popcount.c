/*
 * A word at a time: the population count of each.
 *
 * Source of the idea: bitmap_weight() of Linux, and the count per word in QEMU's merge of the dirty
 * log; as one instruction since SSE4.2 (2008).
 * Cost: one load, count and add for every 64 pages, whatever the map holds.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("popcnt")))
#else
#define HARDWARE
#endif

HARDWARE
static uint64_t count(const struct dirtyscan_map *map)
{
    const uint64_t *words = map->words;
    uint64_t left = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    /* Several sums, so that one does not wait for the last. */
    uint64_t a = 0, b = 0, c = 0, d = 0;

    for (; left >= 4; left -= 4, words += 4) {
        a += (uint64_t)__builtin_popcountll(words[0]);
        b += (uint64_t)__builtin_popcountll(words[1]);
        c += (uint64_t)__builtin_popcountll(words[2]);
        d += (uint64_t)__builtin_popcountll(words[3]);
    }
    for (; left; left--, words++) {
        a += (uint64_t)__builtin_popcountll(*words);
    }
    return a + b + c + d;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2008,
    .operation = "count",
    .map = "bitmap",
    .summary = "64 pages a word, their bits counted by one instruction",
#if defined(__x86_64__)
    .requires = "popcnt",
#endif
    .run.count = count,
};
