/*
 * A word at a time, which is taken out of the log: new bits are those that the map has not.
 *
 * Source of the idea: QEMU's migration_bitmap_sync_range() since commit aa8dc044772 (2014), where
 * start and length of a block lie at a word: two maps in one array each, nothing atomic. How bits
 * are counted is the compiler's: a call of its library unless it may assume popcnt, as QEMU's own
 * build does not.
 * Cost: one load and compare for every 64 pages that the log says nothing of; a population count,
 * an or and two stores for the others.
 */
#include "dirtyscan.h"

static uint64_t merge(struct dirtyscan_map *map, uint64_t *log)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t index, new_pages = 0;

    for (index = 0; index < words; index++) {
        if (log[index]) {
            const uint64_t fresh = log[index] & ~map->words[index];

            map->words[index] |= log[index];
            new_pages += (uint64_t)__builtin_popcountl(fresh);
            log[index] = 0;
        }
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2014,
    .operation = "merge",
    .map = "bitmap",
    .summary = "QEMU in 2014: each word taken out of the log, its new bits counted and set",
    .form = DIRTYSCAN_TAKES,
    .run.merge_taking = merge,
};
