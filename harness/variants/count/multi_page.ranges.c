/* The length of a run of dirty, or of clean, pages; see multi_page.c. */
#include <string.h>

#include "dirtyscan.h"
#include "multi_page.ranges.h"

#define WORD_PAGES sizeof(uint64_t)
#define IN_EVERY_BYTE(flags) ((uint8_t)(flags) * UINT64_C(0x0101010101010101))

uint8_t *phys_ram_dirty;
unsigned int target_page_bits;

/* A load of one aligned word that the rules on aliasing allow; it compiles to one instruction. */
static inline uint64_t load_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, __builtin_assume_aligned(bytes, WORD_PAGES), sizeof(word));
    return word;
}

static inline int inside_word(const uint8_t *byte)
{
    return ((uintptr_t)byte & (WORD_PAGES - 1)) != 0;
}

/* Goes on as long as the bits of `flag` are those of `wanted`, which is `flag` or 0. */
static inline ram_addr_t range(ram_addr_t start, ram_addr_t end, int flag, int wanted,
                               unsigned int page_bits)
{
    const uint8_t *first = phys_ram_dirty + (start >> page_bits);
    const uint8_t *last = phys_ram_dirty + (end >> page_bits);
    const uint8_t *byte = first;

    while (byte < last && inside_word(byte) && (*byte & flag) == wanted) {
        byte++;
    }
    if (!inside_word(byte)) {
        while ((uintptr_t)(last - byte) >= WORD_PAGES
               && (load_word(byte) & IN_EVERY_BYTE(flag)) == IN_EVERY_BYTE(wanted)) {
            byte += WORD_PAGES;
        }
        while (byte < last && (*byte & flag) == wanted) {
            byte++;
        }
    }
    return (ram_addr_t)(byte - first) << page_bits;
}

ram_addr_t dirty_range(ram_addr_t start, ram_addr_t end, int flag)
{
    return range(start, end, flag, flag, 12);
}

ram_addr_t non_dirty_range(ram_addr_t start, ram_addr_t end, int flag)
{
    return range(start, end, flag, 0, 12);
}

ram_addr_t dirty_range_any(ram_addr_t start, ram_addr_t end, int flag)
{
    return range(start, end, flag, flag, target_page_bits);
}

ram_addr_t non_dirty_range_any(ram_addr_t start, ram_addr_t end, int flag)
{
    return range(start, end, flag, 0, target_page_bits);
}
