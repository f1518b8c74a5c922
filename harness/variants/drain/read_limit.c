/*
 * The limit: reads the bitmap and takes nothing. Its result is not checked.
 *
 * Cost: one load for every 512 (AVX-512), 256 (AVX2), 128 (NEON) or 64 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static void read_only(struct dirtyscan_map *map, uint64_t *taken)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;

    (void)taken;
    read_all((const uint8_t *)map->words, words * sizeof(*map->words));
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "drain",
    .map = "bitmap",
    .summary = "the limit: reads the bitmap and takes nothing",
    .bound = 1,
    .run.drain = read_only,
};
