/*
 * A page at a time: a call that takes its bit out of the log atomically, and a test and set of the
 * map's.
 *
 * Source of the idea: the other path of QEMU's cpu_physical_memory_sync_dirty_bitmap(), as it is in
 * 10.0, where start or length of a block does not lie at a word: a call to
 * cpu_physical_memory_test_and_clear_dirty(), and from there one to bitmap_test_and_clear_atomic(),
 * each in a translation unit of its own there and here. Left out: the RCU lock, the look-up of the
 * block, and the call that tells the kernel what was cleared; so this is faster than that is.
 * Cost: two calls and an atomic read-modify-write for every page, dirty or not.
 */
#include "exchange_page.bitmap.h"

static uint64_t merge(struct dirtyscan_map *map, uint64_t *log)
{
    uint64_t page, new_pages = 0;

    for (page = 0; page < map->pages; page++) {
        if (test_and_clear_pages(log, page, 1)) {
            const uint64_t bit = UINT64_C(1) << page % DIRTYSCAN_WORD_PAGES;
            uint64_t *word = map->words + page / DIRTYSCAN_WORD_PAGES;

            new_pages += !(*word & bit);
            *word |= bit;
        }
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2015,
    .operation = "merge",
    .map = "bitmap",
    .summary = "QEMU since 2015 where nothing lies at a word: an atomic call for each page",
    .form = DIRTYSCAN_TAKES,
    .run.merge_taking = merge,
};
