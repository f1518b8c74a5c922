/* The third translation unit of exchange_page.c: bits. */
#include "exchange_page.bitmap.h"

int test_and_clear_atomic(uint64_t *words, uint64_t first, uint64_t count)
{
    uint64_t dirty = 0;

    while (count) {
        const uint64_t from = first % DIRTYSCAN_WORD_PAGES;
        const uint64_t room = DIRTYSCAN_WORD_PAGES - from;
        const uint64_t here = count < room ? count : room;
        const uint64_t mask = ~UINT64_C(0) >> (DIRTYSCAN_WORD_PAGES - here) << from;

        dirty |=
            mask
            & __atomic_fetch_and(words + first / DIRTYSCAN_WORD_PAGES, ~mask, __ATOMIC_SEQ_CST);
        first += here;
        count -= here;
    }
    return dirty != 0;
}
