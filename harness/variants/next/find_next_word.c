/*
 * find_next_bit.c as a call into another translation unit, where it lies in Linux and in QEMU.
 *
 * Source of the idea: find_next_bit() of Linux' lib/find_bit.c, and of QEMU's util/bitops.c from
 * 2012 until it was unrolled in 2013 (commit 49f676a00a).
 * Cost: as there, and a call for every dirty page.
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
    .summary = "Linux' find_next_bit(), and QEMU's of 2012: a call, a word a turn",
    .run.next = next_dirty,
};
