/*
 * AVX2: 32 pages a vector; the flags themselves are added up in bytes.
 *
 * Source of the idea: sums in bytes that are widened with the sum of absolute differences before
 * they overflow, as vector counting loops have done since SSE2 (2001); AVX2 is of 2013. A flag is
 * worth 8, so a byte takes 31 of them, and the total is divided by 8.
 * Cost: one load with and, and one add, for every 32 pages, whatever the map holds.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR 32
#define LANES 8 /* vectors at a time, so that one sum does not wait for the last */
#define ROUNDS (UINT8_MAX / DIRTYSCAN_MIGRATION_FLAG)
#define TARGET __attribute__((target("avx2")))

TARGET
static inline __m256i flags_in(const uint8_t *bytes)
{
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)bytes),
                            _mm256_set1_epi8(DIRTYSCAN_MIGRATION_FLAG));
}

TARGET
static uint64_t count_pages(const struct dirtyscan_map *map)
{
    const uint8_t *bytes = map->bytes, *end = bytes + map->pages;
    uint64_t blocks = map->pages / (LANES * VECTOR), dirty;
    __m256i total = _mm256_setzero_si256();
    __m128i half;

    while (blocks) {
        __m256i sums[LANES] = {_mm256_setzero_si256()};
        uint64_t round = blocks < ROUNDS ? blocks : ROUNDS;
        int lane;

        blocks -= round;
        for (; round; round--) {
#pragma GCC unroll 8
            for (lane = 0; lane < LANES; lane++) {
                sums[lane] = _mm256_add_epi8(sums[lane], flags_in(bytes + lane * VECTOR));
            }
            bytes += LANES * VECTOR;
        }
#pragma GCC unroll 8
        for (lane = 0; lane < LANES; lane++) {
            total = _mm256_add_epi64(total, _mm256_sad_epu8(sums[lane], _mm256_setzero_si256()));
        }
    }
    half = _mm_add_epi64(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
    dirty = ((uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1))
            / DIRTYSCAN_MIGRATION_FLAG;
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
    .year = 2013,
    .operation = "count",
    .map = "byte map",
    .summary = "32 pages a vector, flags added up without a branch",
    .requires = "avx2",
    .run.count = count_pages,
};
