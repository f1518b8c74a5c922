/*
 * Operations as the stopwatch calls them: what is restored before a call, the call itself, and what
 * came out of it. Restoring and settling are not timed.
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "dirtyscan.h"

/* What calls work on, beside the variant's map. */
struct operation_work {
    const uint8_t *bitmap;      /* of the snapshot */
    uint64_t dirty;             /* pages in it */
    uint64_t *log;              /* "merge", "tick": what is merged, a bitmap in whole words */
    uint64_t *taken;            /* "drain" */
    struct dirtyscan_range *ranges; /* "ranges": the caller's list */
    struct dirtyscan_range *runs;   /* "mark": the runs of dirty pages of the snapshot */
    uint64_t run_count;
    uint64_t sent;              /* "tick" */
};

struct operation {
    const char *name;
    int changes_map;
    /* Timed: calls the variant. */
    uint64_t (*call)(const void *function, struct dirtyscan_map *map, struct operation_work *work);
    /* What came out, as a number; NULL for what the call has returned. */
    uint64_t (*settle)(const struct dirtyscan_map *map, const struct operation_work *work);
};

/* Returns the operation called `name`, or NULL. */
const struct operation *operation_find(const char *name);

/* Makes the work of a snapshot: its runs, and the log from the bitmap of another. */
void operation_prepare(struct operation_work *work, const uint8_t *bitmap, const uint8_t *log,
                       uint64_t dirty, uint64_t pages);

/* Makes the map, and what the operation writes, what they are before a call. */
void operation_restore(const struct operation *operation, struct dirtyscan_map *map,
                       struct operation_work *work, int counted);

/* Calls a variant of the operation called `name`, and returns what it returns. */
uint64_t operation_call(const char *name, const void *function, struct dirtyscan_map *map,
                        struct operation_work *work);

/* The words of a bitmap of `pages` pages. */
static inline uint64_t operation_words(uint64_t pages)
{
    return (pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
}

#endif
