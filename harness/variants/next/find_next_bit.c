/*
 * From a word to the next that is not 0, and in it to the first bit.
 *
 * Source of the idea: find_next_bit() of Linux, with which QEMU's send loop has gone from page to
 * page since 2012; but inlined, which it is in neither: find_next_index.c and find_next_four.c
 * stand for those.
 * Cost: a mask, load and count of zeros for every dirty page; one load and compare for every 64
 * clean pages.
 */
#include "finding.h"

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    return find_set_bit(map->words, map->pages, from);
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "next",
    .map = "bitmap",
    .summary = "find_next_bit(): words of 0 skipped",
    .run.next = next_dirty,
};
