/*
 * From one dirty page to the next: a call for every one of them, which skips words that are 0.
 *
 * Source of the idea: find_next_bit(), which came from Linux to QEMU's migration in 2012. It lies
 * in a translation unit of its own there, and here.
 * Cost: one load and compare for every 64 clean pages, and one call for every dirty page; so it
 * gains on maps that are nearly clean, and loses on those that are nearly all dirty.
 */
#include "bitmap_find_next.bitops.h"
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t page, dirty = 0;

    for (page = find_next_bit(map->words, map->pages, 0); page < map->pages;
         page = find_next_bit(map->words, map->pages, page + 1)) {
        dirty++;
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "count",
    .map = "bitmap",
    .summary = "find_next_bit(): from one dirty page to the next, words of 0 skipped",
    .run.count = count,
};
