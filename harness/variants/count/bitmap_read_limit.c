/*
 * The limit of a bitmap: reads every word of it with the widest loads of the CPU, and does nothing
 * else. Its result is not checked; see read_limit.c.
 *
 * Cost: one load for every 512 (AVX-512), 256 (AVX2), 128 (NEON) or 64 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;

    read_all((const uint8_t *)map->words, words * sizeof(*map->words));
    return 0;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "bitmap",
    .summary = "the limit: reads the bitmap and does nothing else",
    .bound = 1,
    .run.count = count,
};
