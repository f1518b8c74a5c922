/*
 * The patch of 2010, reconstructed: runs of dirty and of clean pages, eight pages to a word.
 *
 * Source of the idea: the cover letter "Check the dirty and non-dirty pages by multiple size"
 * (kvm list, 2010). Its diffs are not available. What is known: there are functions that check a
 * multiple of the page size, for dirty and for non-dirty pages, because memory is believed to be
 * nearly all clean or nearly all dirty. They are written here as exec.c had its functions at that
 * time: over the global map, on addresses, with the flags as an argument, and in a translation unit
 * other than their caller's (multi_page.ranges.c). As in page_by_page.c, 4 KiB is a constant.
 * Cost: two calls for every run of dirty pages and, inside long runs, one load and compare for
 * every eight pages; so it gains on long runs and loses where dirty and clean pages alternate.
 */
#include "dirtyscan.h"
#include "multi_page.ranges.h"

static ram_addr_t last_ram_offset;

static ram_addr_t ram_save_remaining(void)
{
    ram_addr_t addr = 0, dirty = 0;

    while (addr < last_ram_offset) {
        ram_addr_t length = dirty_range(addr, last_ram_offset, DIRTYSCAN_MIGRATION_FLAG);

        dirty += length >> 12;
        addr += length;
        addr += non_dirty_range(addr, last_ram_offset, DIRTYSCAN_MIGRATION_FLAG);
    }
    return dirty;
}

/* The same for pages of any size. */
static ram_addr_t ram_save_remaining_any(void)
{
    ram_addr_t addr = 0, dirty = 0;

    while (addr < last_ram_offset) {
        ram_addr_t length = dirty_range_any(addr, last_ram_offset, DIRTYSCAN_MIGRATION_FLAG);

        dirty += length >> target_page_bits;
        addr += length;
        addr += non_dirty_range_any(addr, last_ram_offset, DIRTYSCAN_MIGRATION_FLAG);
    }
    return dirty;
}

static uint64_t count(const struct dirtyscan_map *map)
{
    phys_ram_dirty = map->bytes;
    last_ram_offset = map->pages * map->page_size;
    target_page_bits = (unsigned int)__builtin_ctzll(map->page_size);
    return map->page_size == 4096 ? ram_save_remaining() : ram_save_remaining_any();
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2010,
    .operation = "count",
    .map = "byte map",
    .summary = "the patch, reconstructed: lengths of dirty and clean runs, 8 pages a word",
    .run.count = count,
};
