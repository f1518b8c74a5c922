/*
 * A byte of the log at a time: for each bit that is set, found by ffs, the page's byte of a byte
 * map is stored.
 *
 * Source of the idea: qemu-kvm's kvm_get_dirty_pages_log_range() until February 2010, the merge of
 * the letter's time. Left out: the look-up of each page's address (cpu_get_physical_page_desc(), a
 * walk of two tables), so this is faster than that was. Added, since the contract asks for it: how
 * many were not dirty before, for which the byte is read.
 * Cost: a load and compare for every 8 pages that the log says nothing of; a search, a load and a
 * store for every dirty page.
 */
#include "dirtyscan.h"

static uint64_t merge(struct dirtyscan_map *map, const uint64_t *log)
{
    /* Bytes in their order, as the kernel writes them: of the lowest pages first. */
    const uint8_t *bytes = (const uint8_t *)log;
    const uint64_t length = (map->pages + 7) / 8;
    uint64_t index, new_pages = 0;

    for (index = 0; index < length; index++) {
        unsigned char left = bytes[index];

        while (left) {
            const int bit = __builtin_ffsl(left) - 1;
            uint8_t *page = map->bytes + index * 8 + (uint64_t)bit;

            left &= (unsigned char)~(1U << bit);
            new_pages += !(*page & DIRTYSCAN_MIGRATION_FLAG);
            *page = DIRTYSCAN_DIRTY;
        }
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2007,
    .operation = "merge",
    .map = "byte map",
    .summary = "qemu-kvm until 2010: the set bits of each byte of the log, by ffs",
    .run.merge = merge,
};
