/*
 * One page at a time: the log's bits are tested, and each that is set is tested and set in the map.
 *
 * Source of the idea: none; the plainest merge of two bitmaps. It is no code of QEMU's, whose
 * merges are ffs_byte.c, ffs_long.c, take_word.c, exchange_word.c and exchange_page.c.
 * Cost: a shift, test and branch for every page; a test, or and store for every dirty one.
 */
#include "dirtyscan.h"

static uint64_t merge(struct dirtyscan_map *map, const uint64_t *log)
{
    uint64_t page, new_pages = 0;

    for (page = 0; page < map->pages; page++) {
        const uint64_t bit = UINT64_C(1) << page % 64;

        if (log[page / 64] & bit) {
            if (!(map->words[page / 64] & bit)) {
                map->words[page / 64] |= bit;
                new_pages++;
            }
        }
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "merge",
    .map = "bitmap",
    .summary = "the bit of each page in turn",
    .run.merge = merge,
};
