/*
 * ffs_byte.c, a long of the log at a time.
 *
 * Source of the idea: qemu-kvm's kvm_get_dirty_pages_log_range() since commit f0f8f0ef270f (15
 * February 2010), by the author of the letter's sister patch. What is left out and added stands
 * there.
 * Cost: a load and compare for every 64 pages that the log says nothing of; a search, a load and a
 * store for every dirty page.
 */
#include "dirtyscan.h"

static uint64_t merge(struct dirtyscan_map *map, const uint64_t *log)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t index, new_pages = 0;

    for (index = 0; index < words; index++) {
        unsigned long left = log[index];

        while (left) {
            const int bit = __builtin_ffsl((long)left) - 1;
            uint8_t *page = map->bytes + index * DIRTYSCAN_WORD_PAGES + (uint64_t)bit;

            left &= ~(1UL << bit);
            new_pages += !(*page & DIRTYSCAN_MIGRATION_FLAG);
            *page = DIRTYSCAN_DIRTY;
        }
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2010,
    .operation = "merge",
    .map = "byte map",
    .summary = "qemu-kvm since 2010: the set bits of each long of the log, by ffs",
    .run.merge = merge,
};
