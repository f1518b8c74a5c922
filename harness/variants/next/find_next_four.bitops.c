/* The second translation unit of find_next_four.c. */
#include "find_next_four.bitops.h"

#define FOUR (4 * DIRTYSCAN_WORD_PAGES)

static uint64_t bit_of(uint64_t word)
{
    return (uint64_t)__builtin_ctzl(word);
}

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
            return base + bit_of(here);
        }
        if (left <= DIRTYSCAN_WORD_PAGES) {
            return bits;
        }
        left -= DIRTYSCAN_WORD_PAGES;
        base += DIRTYSCAN_WORD_PAGES;
    }
    for (; left >= FOUR; left -= FOUR, base += FOUR, word += 4) {
        const uint64_t second = word[1], third = word[2], fourth = word[3];

        here = *word;
        if (here) {
            return base + bit_of(here);
        }
        if (second | third | fourth) {
            break;
        }
    }
    for (; left >= DIRTYSCAN_WORD_PAGES; left -= DIRTYSCAN_WORD_PAGES) {
        here = *word++;
        if (here) {
            return base + bit_of(here);
        }
        base += DIRTYSCAN_WORD_PAGES;
    }
    if (left && *word) { /* bits behind the last are 0 */
        return base + bit_of(*word);
    }
    return bits;
}
