/*
 * Branch-free: the flags of eight pages are added up in the eight bytes of a word.
 *
 * Source of the idea: arithmetic on parts of a word, as in Warren, "Hacker's Delight" (2002), 5-1.
 * Cost: one load, shift, mask and add for every eight pages, and a multiplication for every 255
 * words, as a byte of the sum holds no more; the same whatever the map holds.
 */
#include <string.h>

#include "dirtyscan.h"

#define ONES UINT64_C(0x0101010101010101)
#define EVEN_BYTES UINT64_C(0x00ff00ff00ff00ff)
#define FLAG_BIT 3
#define WORDS_A_SUM 255

_Static_assert(1 << FLAG_BIT == DIRTYSCAN_MIGRATION_FLAG, "the flag has moved");

static uint64_t flags_of(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return (word >> FLAG_BIT) & ONES;
}

/* The sum of the bytes of `sums`, which may be more than a byte holds. */
static uint64_t add_bytes(uint64_t sums)
{
    const uint64_t pairs = (sums & EVEN_BYTES) + (sums >> 8 & EVEN_BYTES);

    return pairs * UINT64_C(0x0001000100010001) >> 48;
}

static uint64_t count(const struct dirtyscan_map *map)
{
    const uint8_t *bytes = map->bytes;
    uint64_t words = map->pages / sizeof(uint64_t), page = map->pages & ~UINT64_C(7), dirty = 0;

    while (words) {
        uint64_t part = words < WORDS_A_SUM ? words : WORDS_A_SUM, sums = 0;

        words -= part;
        for (; part; part--, bytes += sizeof(uint64_t)) {
            sums += flags_of(bytes);
        }
        dirty += add_bytes(sums);
    }
    for (; page < map->pages; page++) {
        dirty += map->bytes[page] >> FLAG_BIT & 1;
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2002,
    .operation = "count",
    .map = "byte map",
    .summary = "8 pages a word, added up without a branch",
    .run.count = count,
};
