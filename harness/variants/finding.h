/* The first set bit at or behind one; what variants of "next" and "tick" share. */
#ifndef DIRTYSCAN_FINDING_H
#define DIRTYSCAN_FINDING_H

#include "dirtyscan.h"

/* Returns the first set bit at or behind `start`, or `bits` if there is none. */
static inline uint64_t find_set_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    uint64_t index, last = (bits - 1) / DIRTYSCAN_WORD_PAGES, word;

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
    return index * DIRTYSCAN_WORD_PAGES + (uint64_t)__builtin_ctzll(word);
}

#endif
