/*
 * One page at a time: the send loop of 2010, on a byte map.
 *
 * Source of the idea: QEMU's ram_save_block() until 2012, which tested page after page.
 * Cost: one load and test for every page.
 */
#include "dirtyscan.h"

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    while (from < map->pages && !(map->bytes[from] & DIRTYSCAN_MIGRATION_FLAG)) {
        from++;
    }
    return from;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2003,
    .operation = "next",
    .map = "byte map",
    .summary = "the flag of each page in turn",
    .run.next = next_dirty,
};
