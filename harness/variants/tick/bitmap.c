/*
 * The tick with a bitmap and nothing beside it.
 *
 * Source of the idea: what QEMU's bitmap of 2012 would be without its counter.
 * Cost: an or for every word of the log that is not 0; a population count for every word of the
 * map; a search and a clear for every page that is sent.
 */
#include "ticking.h"

HARDWARE
static uint64_t tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t index, dirty = 0;

    for (index = 0; index < words_of(map); index++) {
        if (log[index]) {
            map->words[index] |= log[index];
        }
    }
    for (index = 0; index < words_of(map); index++) {
        dirty += (uint64_t)__builtin_popcountll(map->words[index]);
    }
    send_pages(map, sent);
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2012,
    .operation = "tick",
    .map = "bitmap",
    .summary = "words merged, counted, searched",
    .requires = HARDWARE_NEEDS,
    .run.tick = tick,
};
