/*
 * The original: ram_save_remaining() as in QEMU up to 2010, one page at a time.
 *
 * Source of the idea: vl.c, exec.c and cpu-all.h of that time, where the map and the end of RAM are
 * globals, the loop steps through addresses, and an inline accessor tests the flag of one page.
 * The page size was a constant, so the loop is compiled once for 4 KiB and once for any other.
 * Cost: one load, test and add for every page, whatever the map holds.
 */
#include "dirtyscan.h"

typedef uint64_t ram_addr_t;

static uint8_t *phys_ram_dirty;
static ram_addr_t last_ram_offset;

static inline int page_is_dirty(ram_addr_t addr, int flags, unsigned int page_bits)
{
    return phys_ram_dirty[addr >> page_bits] & flags;
}

static inline ram_addr_t ram_save_remaining(unsigned int page_bits)
{
    ram_addr_t addr, dirty = 0;

    for (addr = 0; addr < last_ram_offset; addr += (ram_addr_t)1 << page_bits) {
        if (page_is_dirty(addr, DIRTYSCAN_MIGRATION_FLAG, page_bits)) {
            dirty++;
        }
    }
    return dirty;
}

static uint64_t count(const struct dirtyscan_map *map)
{
    phys_ram_dirty = map->bytes;
    last_ram_offset = map->pages * map->page_size;
    if (map->page_size == 4096) {
        return ram_save_remaining(12);
    }
    return ram_save_remaining((unsigned int)__builtin_ctzll(map->page_size));
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2003,
    .operation = "count",
    .map = "byte map",
    .summary = "the original ram_save_remaining(): the flag of each page in turn",
    .run.count = count,
};
