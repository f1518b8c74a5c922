/*
 * Four words a turn over clean stretches, in a call into another translation unit.
 *
 * Source of the idea: find_next_bit() of QEMU's util/bitops.c since commit 49f676a00a (2013), as it
 * is in 10.0.
 * Cost: a call, a mask and a count of zeros for every dirty page; four loads and two tests for
 * every 256 clean pages.
 */
#include "find_next_four.bitops.h"

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    return find_next_bit(map->words, map->pages, from);
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2013,
    .operation = "next",
    .map = "bitmap",
    .summary = "QEMU's find_next_bit() since 2013: a call, four words a turn",
    .run.next = next_dirty,
};
