/*
 * The limit: reads every byte of the map with the widest loads of the CPU, and does nothing else.
 *
 * It counts nothing, so its result is not checked. No variant that looks at the whole map can be
 * faster; one that is has been told what the map holds.
 * Cost: one load for every 64 (AVX-512), 32 (AVX2) or 8 pages.
 */
#include <string.h>

#include "dirtyscan.h"

/* The asm uses what was loaded, so that the load cannot be left out. */
#define USE(constraint, value) __asm__ volatile("" : : constraint(value))

static uint64_t read_words(const uint8_t *bytes, uint64_t left)
{
    uint64_t words[4];

    for (; left >= sizeof(words); left -= sizeof(words), bytes += sizeof(words)) {
        memcpy(words, bytes, sizeof(words));
        USE("r", words[0]);
        USE("r", words[1]);
        USE("r", words[2]);
        USE("r", words[3]);
    }
    for (; left; left--, bytes++) {
        USE("r", *bytes);
    }
    return 0;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2")))
static uint64_t read_avx2(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 128; left -= 128, bytes += 128) {
        USE("x", _mm256_loadu_si256((const __m256i *)bytes));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 32)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 64)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 96)));
    }
    return read_words(bytes, left);
}

__attribute__((target("avx512f")))
static uint64_t read_avx512(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 256; left -= 256, bytes += 256) {
        USE("v", _mm512_loadu_si512(bytes));
        USE("v", _mm512_loadu_si512(bytes + 64));
        USE("v", _mm512_loadu_si512(bytes + 128));
        USE("v", _mm512_loadu_si512(bytes + 192));
    }
    return read_words(bytes, left);
}

static uint64_t count(const struct dirtyscan_byte_map *map)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        return read_avx512(map->bytes, map->pages);
    }
    if (__builtin_cpu_supports("avx2")) {
        return read_avx2(map->bytes, map->pages);
    }
    return read_words(map->bytes, map->pages);
}
#else
static uint64_t count(const struct dirtyscan_byte_map *map)
{
    return read_words(map->bytes, map->pages);
}
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "byte map",
    .summary = "the limit: reads the map and does nothing else",
    .bound = 1,
    .run.count_bytes = count,
};
