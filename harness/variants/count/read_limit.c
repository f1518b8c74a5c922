/*
 * The limit: reads every byte of the map with the widest loads of the CPU, and does nothing else.
 *
 * It counts nothing, so its result is not checked. No variant that looks at the whole map can be
 * faster; one that is has been told what the map holds.
 * Cost: one load for every 64 (AVX-512), 32 (AVX2), 16 (NEON) or 8 pages.
 */
#include "dirtyscan.h"
#include "reading.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    read_all(map->bytes, map->pages);
    return 0;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "byte map",
    .summary = "the limit: reads the map and does nothing else",
    .bound = 1,
    .run.count = count,
};
