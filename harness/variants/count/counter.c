/*
 * Nothing to scan: the count is kept while pages are marked and sent.
 *
 * Source of the idea: migration_dirty_pages, which QEMU has kept beside its bitmap since 2012.
 * Cost: one load here. What it really costs is paid where bits are set and cleared: a population
 * count of every word that the merge changes, a test and add for every page that is marked, and an
 * atomic counter if several threads mark. So its time is no answer to what counting costs.
 */
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    return map->dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "count",
    .map = "counted bitmap",
    .summary = "reads a counter that merge and mark keep",
    .paid_in = "merge and mark",
    .run.count = count,
};
