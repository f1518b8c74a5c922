/* What find_next_four.c calls across translation units. */
#ifndef DIRTYSCAN_FIND_NEXT_FOUR_BITOPS_H
#define DIRTYSCAN_FIND_NEXT_FOUR_BITOPS_H

#include "dirtyscan.h"

/* Returns the first set bit at or behind `start`, or `bits` if there is none. */
__attribute__((visibility("hidden"))) uint64_t find_next_bit(const uint64_t *words, uint64_t bits,
                                                             uint64_t start);

#endif
