/*
 * The limit: reads the bitmap once and finds nothing, whatever it holds. Its result is not checked.
 *
 * Cost: one load for every 512 (AVX-512), 256 (AVX2), 128 (NEON) or 64 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t first = from / DIRTYSCAN_WORD_PAGES;

    read_all((const uint8_t *)(map->words + first), (words - first) * sizeof(*map->words));
    return map->pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "next",
    .map = "bitmap",
    .summary = "the limit: reads the bitmap once and finds nothing",
    .bound = 1,
    .run.next = next_dirty,
};
