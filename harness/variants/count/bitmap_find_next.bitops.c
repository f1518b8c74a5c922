/* The next set bit, from words that are skipped while they are 0; see bitmap_find_next.c. */
#include "dirtyscan.h"
#include "bitmap_find_next.bitops.h"

/* Returns the first set bit at or behind `start`, or `bits` if there is none. */
uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    uint64_t index, found, last = (bits - 1) / DIRTYSCAN_WORD_PAGES, word;

    if (start >= bits) {
        return bits;
    }
    index = start / DIRTYSCAN_WORD_PAGES;
    word = words[index] & ~UINT64_C(0) << start % DIRTYSCAN_WORD_PAGES;
    while (word == 0) {
        if (index == last) {
            return bits;
        }
        word = words[++index];
    }
    found = index * DIRTYSCAN_WORD_PAGES + (uint64_t)__builtin_ctzll(word);
    return found < bits ? found : bits;
}
