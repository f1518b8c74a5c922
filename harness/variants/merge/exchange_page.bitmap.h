/* What exchange_page.c calls across translation units. */
#ifndef DIRTYSCAN_EXCHANGE_PAGE_BITMAP_H
#define DIRTYSCAN_EXCHANGE_PAGE_BITMAP_H

#include "dirtyscan.h"

/* The pages of a block of the log. */
#define BLOCK_PAGES (UINT64_C(256) * 1024 * 8)

/* Takes `count` pages from `first` on out of the log, and returns whether any was dirty. */
__attribute__((visibility("hidden"))) int test_and_clear_pages(uint64_t *log, uint64_t first,
                                                               uint64_t count);

/* Clears `count` bits from `first` on, atomically a word, and returns whether any was set. */
__attribute__((visibility("hidden"))) int test_and_clear_atomic(uint64_t *words, uint64_t first,
                                                                uint64_t count);

#endif
