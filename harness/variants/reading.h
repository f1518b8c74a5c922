/*
 * Reading memory and doing nothing else, with the widest loads of the CPU: what the variants that
 * show a limit share. Not part of the contract.
 */
#ifndef DIRTYSCAN_READING_H
#define DIRTYSCAN_READING_H

#include <stdint.h>
#include <string.h>

/* The asm uses what was loaded, so that the load cannot be left out. */
#define USE(constraint, value) __asm__ volatile("" : : constraint(value))

static inline void read_words(const uint8_t *bytes, uint64_t left)
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
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2")))
static void read_avx2(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 128; left -= 128, bytes += 128) {
        USE("x", _mm256_loadu_si256((const __m256i *)bytes));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 32)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 64)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 96)));
    }
    read_words(bytes, left);
}

__attribute__((target("avx512f")))
static void read_avx512(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 256; left -= 256, bytes += 256) {
        USE("v", _mm512_loadu_si512(bytes));
        USE("v", _mm512_loadu_si512(bytes + 64));
        USE("v", _mm512_loadu_si512(bytes + 128));
        USE("v", _mm512_loadu_si512(bytes + 192));
    }
    read_words(bytes, left);
}

static inline void read_all(const uint8_t *bytes, uint64_t length)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        read_avx512(bytes, length);
    } else if (__builtin_cpu_supports("avx2")) {
        read_avx2(bytes, length);
    } else {
        read_words(bytes, length);
    }
}
#elif defined(__aarch64__)
#include <arm_neon.h>

static inline void read_all(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 64; left -= 64, bytes += 64) {
        USE("w", vld1q_u8(bytes));
        USE("w", vld1q_u8(bytes + 16));
        USE("w", vld1q_u8(bytes + 32));
        USE("w", vld1q_u8(bytes + 48));
    }
    read_words(bytes, left);
}
#else
static inline void read_all(const uint8_t *bytes, uint64_t length)
{
    read_words(bytes, length);
}
#endif

#endif
