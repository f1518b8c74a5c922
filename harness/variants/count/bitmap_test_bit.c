/*
 * One bit at a time: the original's loop after the byte map had become a bitmap.
 *
 * Source of the idea: QEMU's migration_bitmap of 2012, whose first users tested one page after the
 * other with test_bit().
 * Cost: one load, shift, test and add for every page; an eighth of the memory of a byte map, but no
 * fewer instructions.
 */
#include "dirtyscan.h"

static inline int test_bit(const uint64_t *words, uint64_t page)
{
    return (int)(words[page / DIRTYSCAN_WORD_PAGES] >> (page % DIRTYSCAN_WORD_PAGES) & 1);
}

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t page, dirty = 0;

    for (page = 0; page < map->pages; page++) {
        if (test_bit(map->words, page)) {
            dirty++;
        }
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "count",
    .map = "bitmap",
    .summary = "the bit of each page in turn",
    .run.count = count,
};
