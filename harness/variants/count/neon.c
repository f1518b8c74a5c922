/*
 * NEON: 16 pages a vector; the flags themselves are added up in bytes.
 *
 * Source of the idea: that of avx2.c, on aarch64 (2011), which widens bytes pairwise by one
 * instruction. A flag is worth 8, so a byte takes 31 of them, and the total is divided by 8.
 * Cost: one load, and, and add for every 16 pages, whatever the map holds.
 */
#include "dirtyscan.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define VECTOR 16
#define LANES 4 /* vectors at a time, so that one sum does not wait for the last */
#define ROUNDS (UINT8_MAX / DIRTYSCAN_MIGRATION_FLAG)

static inline uint8x16_t flags_in(const uint8_t *bytes)
{
    return vandq_u8(vld1q_u8(bytes), vdupq_n_u8(DIRTYSCAN_MIGRATION_FLAG));
}

static uint64_t count_pages(const struct dirtyscan_map *map)
{
    const uint8_t *bytes = map->bytes, *end = bytes + map->pages;
    uint64_t blocks = map->pages / (LANES * VECTOR), dirty = 0;

    while (blocks) {
        uint8x16_t a = vdupq_n_u8(0), b = a, c = a, d = a;
        uint64_t round = blocks < ROUNDS ? blocks : ROUNDS;

        blocks -= round;
        for (; round; round--, bytes += LANES * VECTOR) {
            a = vaddq_u8(a, flags_in(bytes));
            b = vaddq_u8(b, flags_in(bytes + VECTOR));
            c = vaddq_u8(c, flags_in(bytes + 2 * VECTOR));
            d = vaddq_u8(d, flags_in(bytes + 3 * VECTOR));
        }
        dirty += vaddlvq_u8(a) + vaddlvq_u8(b) + vaddlvq_u8(c) + vaddlvq_u8(d);
    }
    dirty /= DIRTYSCAN_MIGRATION_FLAG;
    for (; bytes < end; bytes++) {
        dirty += (*bytes & DIRTYSCAN_MIGRATION_FLAG) != 0;
    }
    return dirty;
}
#else
#define count_pages NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2011,
    .operation = "count",
    .map = "byte map",
    .summary = "aarch64: 16 pages a vector, flags added up without a branch",
    .requires = "asimd",
    .run.count = count_pages,
};
