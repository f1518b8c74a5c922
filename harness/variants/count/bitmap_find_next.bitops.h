/* The next set bit; see bitmap_find_next.c. */
#ifndef BITMAP_FIND_NEXT_BITOPS_H
#define BITMAP_FIND_NEXT_BITOPS_H

#include <stdint.h>

uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
    __attribute__((visibility("hidden")));

#endif
