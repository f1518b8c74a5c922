/*
 * The contract of a variant: one implementation of one operation on a dirty map.
 *
 * A variant is a C file that defines
 *
 *     const struct dirtyscan_variant dirtyscan_variant = { ... };
 *
 * and nothing else that is visible from outside. It is compiled into a shared object of its own
 * when the benchmark runs, so it may use static data, intrinsics and any header of the C library.
 * If NAME.c needs a second translation unit, NAME.SOMETHING.c beside it is compiled separately and
 * linked to it; nothing is optimized across the two.
 *
 * What holds for every operation:
 *   - the map belongs to the caller; an operation that is not said to change it must not;
 *   - nothing outside the map's arrays may be read or written;
 *   - the bytes of a byte map may have any alignment, words have theirs (8 bytes);
 *   - pages is any number from 1 up.
 */
#ifndef DIRTYSCAN_H
#define DIRTYSCAN_H

#include <stddef.h>
#include <stdint.h>

#define DIRTYSCAN_ABI 2

/* QEMU's flags in one byte of the byte map (cpu-all.h of 2010). */
#define DIRTYSCAN_MIGRATION_FLAG 0x08
/* What marking a page dirty stores, and what is left once migration has sent the page. */
#define DIRTYSCAN_DIRTY 0xff
#define DIRTYSCAN_CLEAN 0xf7

/* The pages of one word of a bitmap, and of one bit of a summary: a cache line of the bitmap. */
#define DIRTYSCAN_WORD_PAGES 64
#define DIRTYSCAN_SUMMARY_PAGES 512

/*
 * A dirty map, in the representation that the variant names in `map`. Pages are in the order of
 * their addresses. Arrays of other representations are NULL, and `dirty` is 0.
 */
struct dirtyscan_map {
    /*
     * "byte map": one byte a page. A page is dirty for migration if its byte has
     * DIRTYSCAN_MIGRATION_FLAG set; the other bits are other users' flags and may hold anything.
     */
    uint8_t *bytes;
    /*
     * "bitmap", "two-level bitmap" and "counted bitmap": one bit a page, set if it is dirty, the
     * lowest page in the lowest bit of the first word. Bits behind the last page are 0.
     */
    uint64_t *words;
    /*
     * "two-level bitmap": one bit for every 8 words, in words like those of a bitmap; set if any of
     * the 8 is not 0. Bits behind the last are 0.
     */
    uint64_t *summary;
    uint64_t dirty;     /* "counted bitmap": how many bits of `words` are set */
    uint64_t pages;
    uint64_t page_size; /* bytes of guest memory in a page, a power of two */
};

/* Operation "count": how many pages are dirty. Does not change the map. */
typedef uint64_t dirtyscan_count(const struct dirtyscan_map *map);

struct dirtyscan_variant {
    uint32_t abi;          /* DIRTYSCAN_ABI */
    uint32_t year;         /* when the idea was first used or published */
    const char *operation; /* "count" */
    const char *map;       /* "byte map", "bitmap", "two-level bitmap" or "counted bitmap" */
    const char *summary;   /* one line for the list of variants */
    const char *requires;  /* CPU flags as in /proc/cpuinfo, separated by spaces; NULL for none */
    const char *paid_in;   /* operations that bear its cost in its place; NULL for none */
    uint32_t bound;        /* 1: does less than the operation, to show a limit; not checked */
    union {
        dirtyscan_count *count;
    } run; /* NULL: not for this architecture */
};

#endif
