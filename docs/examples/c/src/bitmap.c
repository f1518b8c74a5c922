#include "bitmap.h"

size_t bitmap_count_one(const uint64_t *map, size_t bits)
{
    size_t word, count = 0;

    for (word = 0; word < bits / 64; word++) {
        count += (size_t)__builtin_popcountll(map[word]);
    }
    if (bits % 64) {
        count += (size_t)__builtin_popcountll(map[word] & ((UINT64_C(1) << bits % 64) - 1));
    }
    return count;
}
