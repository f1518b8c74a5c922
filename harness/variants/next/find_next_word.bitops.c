/* The second translation unit of find_next_word.c. */
#include "find_next_word.bitops.h"

uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    const uint64_t *word = words + start / DIRTYSCAN_WORD_PAGES;
    uint64_t base = start - start % DIRTYSCAN_WORD_PAGES, left, here;

    if (start >= bits) {
        return bits;
    }
    left = bits - base;
    if (start % DIRTYSCAN_WORD_PAGES) {
        here = *word++ & ~UINT64_C(0) << start % DIRTYSCAN_WORD_PAGES;
        if (here) {
            return base + (uint64_t)__builtin_ctzl(here);
        }
        if (left <= DIRTYSCAN_WORD_PAGES) {
            return bits;
        }
        left -= DIRTYSCAN_WORD_PAGES;
        base += DIRTYSCAN_WORD_PAGES;
    }
    while (left & ~(uint64_t)(DIRTYSCAN_WORD_PAGES - 1)) {
        here = *word++;
        if (here) {
            return base + (uint64_t)__builtin_ctzl(here);
        }
        base += DIRTYSCAN_WORD_PAGES;
        left -= DIRTYSCAN_WORD_PAGES;
    }
    if (left && *word) { /* bits behind the last are 0 */
        return base + (uint64_t)__builtin_ctzl(*word);
    }
    return bits;
}
