/*
 * The original: ram_save_remaining() as in QEMU up to 2010, one page at a time.
 *
 * Source of the idea: vl.c, exec.c and cpu-all.h of that time, where the map and the end of RAM are
 * globals, the loop steps through addresses, and an inline accessor tests the flag of one page.
 * Cost: one load, test and add for every page, whatever the map holds.
 */
#include "dirtyscan.h"

typedef uint64_t ram_addr_t;

static uint8_t *phys_ram_dirty;
static ram_addr_t last_ram_offset;
static unsigned int target_page_bits;

static inline int page_is_dirty(ram_addr_t addr, int flags)
{
    return phys_ram_dirty[addr >> target_page_bits] & flags;
}

static ram_addr_t ram_save_remaining(void)
{
    const ram_addr_t target_page_size = (ram_addr_t)1 << target_page_bits;
    ram_addr_t addr, dirty = 0;

    for (addr = 0; addr < last_ram_offset; addr += target_page_size) {
        if (page_is_dirty(addr, DIRTYSCAN_MIGRATION_FLAG)) {
            dirty++;
        }
    }
    return dirty;
}

static uint64_t count(const struct dirtyscan_byte_map *map)
{
    phys_ram_dirty = map->bytes;
    last_ram_offset = map->pages * map->page_size;
    target_page_bits = (unsigned int)__builtin_ctzll(map->page_size);
    return ram_save_remaining();
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2003,
    .operation = "count",
    .map = "byte map",
    .summary = "the original ram_save_remaining(): the flag of each page in turn",
    .run.count_bytes = count,
};
