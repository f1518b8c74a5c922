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

    /* Bytes are meant, as many as four words have: NOLINTNEXTLINE(bugprone-sizeof-expression) */
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
#include <cpuid.h>
#include <immintrin.h>

/*
 * The bytes of the widest load that both the CPU and the kernel know. The CPU itself is asked:
 * __builtin_cpu_supports() of some compilers (zig's cc) says no to everything in a shared object.
 */
static unsigned widest_load = 8;

__attribute__((constructor)) static void find_widest_load(void)
{
    const unsigned ymm = 0x06, zmm = 0xe6; /* state that the kernel keeps, bits of XCR0 */
    unsigned a, b, c, d, kept, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return;
    }
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return;
    }
    if ((kept & ymm) == ymm && (b & bit_AVX2)) {
        widest_load = 32;
    }
    if ((kept & zmm) == zmm && (b & bit_AVX512F)) {
        widest_load = 64;
    }
}

__attribute__((target("avx2"))) static void read_avx2(const uint8_t *bytes, uint64_t left)
{
    for (; left >= 128; left -= 128, bytes += 128) {
        USE("x", _mm256_loadu_si256((const __m256i *)bytes));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 32)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 64)));
        USE("x", _mm256_loadu_si256((const __m256i *)(bytes + 96)));
    }
    read_words(bytes, left);
}

__attribute__((target("avx512f"))) static void read_avx512(const uint8_t *bytes, uint64_t left)
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
    if (widest_load == 64) {
        read_avx512(bytes, length);
    } else if (widest_load == 32) {
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
