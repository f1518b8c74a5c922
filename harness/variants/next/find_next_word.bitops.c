/* The second translation unit of find_next_word.c. */
#include "find_next_word.bitops.h"
#include "finding.h"

uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    return find_set_bit(words, bits, start);
}
