/*
 * A word a turn, in a call into another translation unit; what is left is counted down.
 *
 * Source of the idea: find_next_bit() of QEMU's util/bitops.c from 2012, when it came from Linux,
 * until it was unrolled in 2013 (commit 49f676a00a).
 * Cost: a call, a mask and a count of zeros for every dirty page; a load and two tests for every 64
 * clean pages.
 */
#include "find_next_word.bitops.h"

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    return find_next_bit(map->words, map->pages, from);
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "next",
    .map = "bitmap",
    .summary = "QEMU's find_next_bit() in 2012: a call, a word a turn",
    .run.next = next_dirty,
};
