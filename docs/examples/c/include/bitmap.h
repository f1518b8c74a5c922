#ifndef BITMAP_H
#define BITMAP_H

#include <stddef.h>
#include <stdint.h>

/* Returns how many of the lowest `bits` bits of `map` are set. */
size_t bitmap_count_one(const uint64_t *map, size_t bits);

#endif
