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
 *   - nothing outside [bytes, bytes + pages) may be read or written;
 *   - bytes may have any alignment; pages is any number from 1 up.
 */
#ifndef DIRTYSCAN_H
#define DIRTYSCAN_H

#include <stddef.h>
#include <stdint.h>

#define DIRTYSCAN_ABI 1

/* QEMU's flags in one byte of the byte map (cpu-all.h of 2010). */
#define DIRTYSCAN_MIGRATION_FLAG 0x08
/* What marking a page dirty stores, and what is left once migration has sent the page. */
#define DIRTYSCAN_DIRTY 0xff
#define DIRTYSCAN_CLEAN 0xf7

/*
 * A byte map: one byte a page, lowest address first. A page is dirty for migration if its byte has
 * DIRTYSCAN_MIGRATION_FLAG set; the other bits are other users' flags and may hold anything.
 */
struct dirtyscan_byte_map {
    uint8_t *bytes;
    uint64_t pages;
    uint64_t page_size; /* bytes of guest memory in a page, a power of two */
};

/* Operation "count" on a byte map: how many pages are dirty. Does not change the map. */
typedef uint64_t dirtyscan_count_bytes(const struct dirtyscan_byte_map *map);

struct dirtyscan_variant {
    uint32_t abi;          /* DIRTYSCAN_ABI */
    uint32_t year;         /* when the idea was first used or published */
    const char *operation; /* "count" */
    const char *map;       /* "byte map" */
    const char *summary;   /* one line for the list of variants */
    const char *requires;  /* CPU flags as in /proc/cpuinfo, separated by spaces; NULL for none */
    uint32_t bound;        /* 1: does less than the operation, to show a limit; not checked */
    union {
        dirtyscan_count_bytes *count_bytes;
    } run; /* NULL: not for this architecture */
};

#endif
