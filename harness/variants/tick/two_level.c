/*
 * The tick with a bitmap whose summary says which cache lines have a dirty page.
 *
 * Source of the idea: QEMU's HBitmap of 2013, with a bit for a cache line; see two_level.c of
 * count. A summary bit is cleared when its line is found to be clean, not with every page.
 * Cost: a load and compare for every word of the log; a population count for the words of lines
 * that have a dirty page; a search and a clear for every page that is sent.
 */
#include "ticking.h"

#define LINE_WORDS (DIRTYSCAN_SUMMARY_PAGES / DIRTYSCAN_WORD_PAGES)

HARDWARE
static uint64_t count_line(const struct dirtyscan_map *map, uint64_t line)
{
    uint64_t word = line * LINE_WORDS, end = word + LINE_WORDS, dirty = 0;

    if (end > words_of(map)) {
        end = words_of(map);
    }
    for (; word < end; word++) {
        dirty += (uint64_t)__builtin_popcountll(map->words[word]);
    }
    return dirty;
}

HARDWARE
static uint64_t count(struct dirtyscan_map *map)
{
    const uint64_t lines = (map->pages + DIRTYSCAN_SUMMARY_PAGES - 1) / DIRTYSCAN_SUMMARY_PAGES;
    uint64_t index, dirty = 0;

    for (index = 0; index < (lines + 63) / 64; index++) {
        uint64_t bits = map->summary[index];

        for (; bits; bits &= bits - 1) {
            const uint64_t line = index * 64 + (uint64_t)__builtin_ctzll(bits);
            const uint64_t here = count_line(map, line);

            if (here == 0) {
                clear_bit(map->summary, line);
            }
            dirty += here;
        }
    }
    return dirty;
}

static uint64_t tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t index, dirty;

    for (index = 0; index < words_of(map); index++) {
        if (log[index]) {
            const uint64_t line = index / LINE_WORDS;

            map->words[index] |= log[index];
            map->summary[line / 64] |= UINT64_C(1) << line % 64;
        }
    }
    dirty = count(map);
    send_pages(map, sent);
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2013,
    .operation = "tick",
    .map = "two-level bitmap",
    .summary = "a summary leaves out clean cache lines when counting",
    .requires = HARDWARE_NEEDS,
    .run.tick = tick,
};
