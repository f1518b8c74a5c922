/*
 * The limit: reads the bitmap and lists nothing. What the list costs to write is not in it, so it
 * is near only where there are few ranges. Its result is not checked.
 *
 * Cost: one load for every 512 (AVX-512), 256 (AVX2), 128 (NEON) or 64 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static uint64_t read_only(const struct dirtyscan_map *map, struct dirtyscan_ranges *out)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;

    (void)out;
    read_all((const uint8_t *)map->words, words * sizeof(*map->words));
    return 0;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "ranges",
    .map = "bitmap",
    .summary = "the limit: reads the bitmap and lists nothing",
    .bound = 1,
    .run.ranges = read_only,
};
