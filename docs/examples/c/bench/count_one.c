/* What dirtyscan measures: bitmap_count_one() as it is in src/, on dirty maps. */
#include "bitmap.h"
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    return bitmap_count_one(map->words, map->pages);
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "bitmap",
    .summary = "the project's own count of bits",
    .run.count = count,
};
