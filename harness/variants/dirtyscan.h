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
 * linked to it; nothing is optimized across the two. dirtyscan_macros.h makes most of them one line.
 *
 * A type that keeps its pages in storage of its own is filled from the map before the time of a call
 * begins, and read back when it has ended; see `prepare` and `finish` below.
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

/*
 * 3: prepare, finish, beside and form of a variant, and state of a map. What was made for version 2,
 * which has none of these, is still read.
 */
#define DIRTYSCAN_ABI 3

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
    void *state;        /* what the variant's `prepare` has returned; NULL if it has none */
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
 * Words that were taken out of the map: `count` of them, those behind are taken as 0. `words` is the
 * caller's memory as above. A variant that makes words of its own points there and sets `release`,
 * which is called when they were looked at. The time of that is the call's too; as it is taken by
 * itself, what reading the clock costs is in it twice.
 */
struct dirtyscan_taken {
    uint64_t *words;
    uint64_t count;
    void (*release)(struct dirtyscan_taken *taken);
    void *owner;
    uint64_t capacity; /* for the variant's own use */
};

/* Operation "drain" in the form DIRTYSCAN_GIVES: it may hand over words of its own. */
typedef void dirtyscan_drain_giving(struct dirtyscan_map *map, struct dirtyscan_taken *taken);

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
 * Operation "merge" in the form DIRTYSCAN_TAKES: it may change the log, as QEMU does, which takes
 * each word of it and leaves 0. What it leaves there does not matter; the log is made anew for the
 * next call, which is not timed.
 */
typedef uint64_t dirtyscan_merge_taking(struct dirtyscan_map *map, uint64_t *log);

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

/*
 * For a type with storage of its own: makes it hold what is in `map`, and returns it. It is found as
 * `state` of the map that the call gets, which need not look at the rest of it. `log` is what will
 * be merged, NULL in operations that merge nothing.
 *
 * Called before each time that is taken, directly before the clock is read and after the map was
 * walked: what it leaves in the caches is what the call finds. Filled from its start to its end,
 * storage is as warm as a map is. An operation that does not change its map may be called several
 * times on one state, and must give the same each time.
 */
typedef void *dirtyscan_prepare(const struct dirtyscan_map *map, const uint64_t *log);

/* Where a state may put what came out of a call; NULL where the operation has no use for it. */
struct dirtyscan_output {
    uint64_t *taken;                /* "drain": what was taken, all 0 unless the call set it */
    struct dirtyscan_range *ranges; /* "ranges": room for those of any map */
};

/*
 * Reads the state back, which is checked as if the call had worked on the map itself: writes which
 * pages are dirty to the map (unchanged, in an operation that does not change it), puts into
 * `output` what the call has kept for itself, and frees the state. Called after the clock was read.
 */
typedef void dirtyscan_finish(void *state, struct dirtyscan_map *map,
                              const struct dirtyscan_output *output);

/* Which signature `run` has, where an operation has several. */
#define DIRTYSCAN_PLAIN 0
#define DIRTYSCAN_GIVES 1 /* run.drain_giving */
#define DIRTYSCAN_TAKES 2 /* run.merge_taking */

struct dirtyscan_variant {
    uint32_t abi;          /* DIRTYSCAN_ABI */
    uint32_t year;         /* when the idea was first used or published; 0 if nobody says */
    const char *operation; /* "count", "ranges", "drain", "mark", "merge", "next" or "tick" */
    const char *map;       /* "byte map", "bitmap", "two-level bitmap" or "counted bitmap" */
    const char *summary;   /* one line for the list of variants */
    const char *requires;  /* CPU flags as in /proc/cpuinfo, separated by spaces; NULL for none */
    const char *paid_in;   /* operations that bear its cost in its place; NULL for none */
    uint32_t bound;        /* 1: does less than the operation, to show a limit; not checked */
    uint32_t form;         /* DIRTYSCAN_PLAIN, DIRTYSCAN_GIVES or DIRTYSCAN_TAKES */
    union {
        dirtyscan_count *count;
        dirtyscan_list_ranges *ranges;
        dirtyscan_drain *drain;
        dirtyscan_drain_giving *drain_giving;
        dirtyscan_mark *mark;
        dirtyscan_merge *merge;
        dirtyscan_merge_taking *merge_taking;
        dirtyscan_next *next;
        dirtyscan_tick *tick;
    } run; /* NULL: not for this architecture */
    /* Both, or neither: the variant works on the map itself. */
    dirtyscan_prepare *prepare;
    dirtyscan_finish *finish;
    /*
     * What other threads do to a state while the variant works on it: they mark pages while it
     * drains (into `taken`, in the call), and drain while it marks. NULL: it is not tried beside
     * them. Where there is no state, the trial does this to the map, and it may be NULL.
     */
    union {
        dirtyscan_mark *mark;
        dirtyscan_drain *drain;
    } beside;
};

#endif
