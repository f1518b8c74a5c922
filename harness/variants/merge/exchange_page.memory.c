/* The second translation unit of exchange_page.c: pages, in the blocks that their log lies in. */
#include "exchange_page.bitmap.h"

int test_and_clear_pages(uint64_t *log, uint64_t first, uint64_t count)
{
    const uint64_t end = first + count;
    int dirty = 0;

    while (first < end) {
        const uint64_t block = first / BLOCK_PAGES, offset = first % BLOCK_PAGES;
        const uint64_t room = BLOCK_PAGES - offset;
        const uint64_t here = end - first < room ? end - first : room;

        dirty |= test_and_clear_atomic(log + block * (BLOCK_PAGES / 64), offset, here);
        first += here;
    }
    return dirty;
}
