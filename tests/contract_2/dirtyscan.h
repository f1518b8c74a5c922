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

/* A run of dirty pages. */
struct dirtyscan_range {
    uint64_t first;
    uint64_t pages;
};

/*
 * A list of ranges. `list` is the caller's memory, reused from call to call, which has room for the
 * ranges of any map. A variant that makes a list of its own instead points `list` there and sets
 * `release`, which is called with `owner` when the list is done with, as part of the call's time.
 */
struct dirtyscan_ranges {
    struct dirtyscan_range *list;
    void (*release)(struct dirtyscan_ranges *ranges);
    void *owner;
    uint64_t capacity; /* for the variant's own use */
};

/*
 * Operation "ranges": lists all runs of dirty pages, each as long as it can be, lowest first, and
 * returns how many there are. Does not change the map.
 */
typedef uint64_t dirtyscan_list_ranges(const struct dirtyscan_map *map,
                                       struct dirtyscan_ranges *ranges);

/*
 * Operation "drain", on a bitmap in which other threads set bits meanwhile: moves every set bit
 * from the map to `taken`, which has as many words and is all 0 before. No bit may be lost: one
 * that is set while this runs ends up in `taken` or stays in the map.
 */
typedef void dirtyscan_drain(struct dirtyscan_map *map, uint64_t *taken);

/*
 * Operation "mark": sets the bits of `pages` pages from `first` on, of which there is at least one.
 * Other threads set and take bits of the same words meanwhile, so words are changed atomically.
 */
typedef void dirtyscan_mark(struct dirtyscan_map *map, uint64_t first, uint64_t pages);

/*
 * Operation "merge": makes every page dirty whose bit is set in `log` (a bitmap like `words`), and
 * returns how many of them were not dirty before. Nobody else uses the map meanwhile.
 */
typedef uint64_t dirtyscan_merge(struct dirtyscan_map *map, const uint64_t *log);

/*
 * Operation "next": the first dirty page at or behind `from`, which is below `pages`; `pages` if
 * there is none. Does not change the map. It is timed over whole maps, from one page to the next.
 */
typedef uint64_t dirtyscan_next(const struct dirtyscan_map *map, uint64_t from);

/*
 * Operation "tick", what a migration does with its map in 100 ms: merges `log`, counts what is
 * dirty then and returns it, and takes the `sent` lowest dirty pages out of the map (all, if there
 * are no more), one after the other, as the send loop does.
 */
typedef uint64_t dirtyscan_tick(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent);

struct dirtyscan_variant {
    uint32_t abi;          /* DIRTYSCAN_ABI */
    uint32_t year;         /* when the idea was first used or published */
    const char *operation; /* "count", "ranges", "drain", "mark", "merge", "next" or "tick" */
    const char *map;       /* "byte map", "bitmap", "two-level bitmap" or "counted bitmap" */
    const char *summary;   /* one line for the list of variants */
    const char *requires;  /* CPU flags as in /proc/cpuinfo, separated by spaces; NULL for none */
    const char *paid_in;   /* operations that bear its cost in its place; NULL for none */
    uint32_t bound;        /* 1: does less than the operation, to show a limit; not checked */
    union {
        dirtyscan_count *count;
        dirtyscan_list_ranges *ranges;
        dirtyscan_drain *drain;
        dirtyscan_mark *mark;
        dirtyscan_merge *merge;
        dirtyscan_next *next;
        dirtyscan_tick *tick;
    } run; /* NULL: not for this architecture */
};

#endif
