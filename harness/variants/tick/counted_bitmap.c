/*
 * The tick with a bitmap and a counter.
 *
 * Source of the idea: QEMU since 2014: the merge counts what is new in each word, every page that
 * is sent is counted down, and the count is read.
 * Cost: beside the merge, a population count for every word of the log that is not 0; nothing to
 * count with; a search, a clear and a subtraction for every page that is sent.
 */
#include "ticking.h"

HARDWARE
static uint64_t tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t index, dirty;

    for (index = 0; index < words_of(map); index++) {
        if (log[index]) {
            map->dirty += (uint64_t)__builtin_popcountll(log[index] & ~map->words[index]);
            map->words[index] |= log[index];
        }
    }
    dirty = map->dirty;
    map->dirty -= send_pages(map, sent);
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2014,
    .operation = "tick",
    .map = "counted bitmap",
    .summary = "new bits counted as words are merged, pages counted down as they are sent",
    .requires = HARDWARE_NEEDS,
    .run.tick = tick,
};
