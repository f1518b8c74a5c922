/*
 * The tick of 2010: a byte map.
 *
 * Source of the idea: QEMU until 2012: a byte is stored for every dirty page of the log,
 * ram_save_remaining() counts, and the send loop tests page after page.
 * Cost: a store for every page of the log; a load and test for every page to count; and again up to
 * the last page that is sent.
 */
#include "dirtyscan.h"

static void merge(struct dirtyscan_map *map, const uint64_t *log)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t index;

    for (index = 0; index < words; index++) {
        uint64_t word = log[index];

        for (; word; word &= word - 1) {
            const uint64_t page = index * DIRTYSCAN_WORD_PAGES + (uint64_t)__builtin_ctzll(word);

            map->bytes[page] = DIRTYSCAN_DIRTY;
        }
    }
}

static uint64_t tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t page, dirty = 0;

    merge(map, log);
    for (page = 0; page < map->pages; page++) {
        if (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) {
            dirty++;
        }
    }
    for (page = 0; page < map->pages && sent; page++) {
        if (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) {
            map->bytes[page] &= (uint8_t)~DIRTYSCAN_MIGRATION_FLAG;
            sent--;
        }
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2003,
    .operation = "tick",
    .map = "byte map",
    .summary = "a byte stored, counted and cleared for every page",
    .run.tick = tick,
};
