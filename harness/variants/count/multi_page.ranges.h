/* What multi_page.c and multi_page.ranges.c share. */
#ifndef MULTI_PAGE_RANGES_H
#define MULTI_PAGE_RANGES_H

#include <stdint.h>

typedef uint64_t ram_addr_t;

#pragma GCC visibility push(hidden)

extern uint8_t *phys_ram_dirty;
extern unsigned int target_page_bits;

/*
 * How many bytes of guest memory from start on, up to end, are dirty (not dirty) for one flag. Both
 * addresses are multiples of the page size.
 */
ram_addr_t dirty_range(ram_addr_t start, ram_addr_t end, int flag);
ram_addr_t non_dirty_range(ram_addr_t start, ram_addr_t end, int flag);

/* The same where pages are not of 4 KiB but of 1 << target_page_bits bytes. */
ram_addr_t dirty_range_any(ram_addr_t start, ram_addr_t end, int flag);
ram_addr_t non_dirty_range_any(ram_addr_t start, ram_addr_t end, int flag);

#pragma GCC visibility pop

#endif
