/*
 * The limit: a plain store to every word that the range touches, which loses what other threads and
 * other ranges have set. Its result is not checked.
 *
 * Cost: one store for every 64 pages.
 */
#include "dirtyscan.h"

static void mark(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
{
    uint64_t word;

    for (word = first / 64; word <= (first + pages - 1) / 64; word++) {
        __atomic_store_n(&map->words[word], ~UINT64_C(0), __ATOMIC_RELAXED);
    }
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "mark",
    .map = "bitmap",
    .summary = "the limit: a plain store to every word, nothing atomic",
    .bound = 1,
    .run.mark = mark,
};
