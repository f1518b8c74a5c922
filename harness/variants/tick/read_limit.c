/*
 * The limit: reads the log and the bitmap and does nothing else. Its result is not checked.
 *
 * Cost: two loads for every 512 (AVX-512), 256 (AVX2), 128 (NEON) or 64 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static uint64_t tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;

    (void)sent;
    read_all((const uint8_t *)map->words, words * sizeof(*map->words));
    read_all((const uint8_t *)log, words * sizeof(*log));
    return 0;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "tick",
    .map = "bitmap",
    .summary = "the limit: reads the log and the bitmap and does nothing else",
    .bound = 1,
    .run.tick = tick,
};
