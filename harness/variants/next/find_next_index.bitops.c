/* The second translation unit of find_next_index.c. */
#include "find_next_index.bitops.h"

uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    uint64_t index, word, found;

    if (__builtin_expect(start >= bits, 0)) {
        return bits;
    }
    index = start / DIRTYSCAN_WORD_PAGES;
    word = words[index] & ~UINT64_C(0) << start % DIRTYSCAN_WORD_PAGES;
    while (!word) {
        if ((index + 1) * DIRTYSCAN_WORD_PAGES >= bits) {
            return bits;
        }
        word = words[++index];
    }
    found = index * DIRTYSCAN_WORD_PAGES + (uint64_t)__builtin_ctzl(word);
    return found < bits ? found : bits;
}
