/*
 * Operations as the stopwatch calls them: what is restored before a call, the call itself, and what
 * came out of it. The call is timed, with the release of what the variant has made; nothing else is.
 *
 * In this order: operation_prepare() once for a snapshot, and for each call operation_restore(),
 * operation_begin(), the call, operation_receive(), operation_release(), operation_end(), and
 * operation_settle().
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "dirtyscan.h"

/* Arrays that calls may work on beside the variant's map. */
enum operation_array {
    OPERATION_LOG,    /* what is merged, a bitmap in whole words */
    OPERATION_TAKEN,  /* what has been taken out of the map, a bitmap likewise */
    OPERATION_RANGES, /* the caller's list, for the ranges of any map */
    OPERATION_RUNS,   /* the runs of dirty pages of the snapshot; needs a log to find them in */
    OPERATION_ARRAYS
};

/* What calls work on, beside the variant's map. */
struct operation_work {
    union {
        void *arrays[OPERATION_ARRAYS]; /* NULL but for those of the operation */
        struct {
            uint64_t *log;
            uint64_t *taken;
            struct dirtyscan_range *ranges;
            struct dirtyscan_range *runs;
        };
    };
    const uint8_t *bitmap; /* of the snapshot */
    uint64_t dirty;        /* pages in it */
    uint64_t run_count;
    uint64_t argument; /* how many pages are sent, or the page from which to search */
    const uint8_t *logged;        /* what is merged, a bitmap */
    struct dirtyscan_taken given; /* by a variant that may give memory of its own */
};

/* All that tells one operation from another; operations.c has one for each of its forms. */
struct operation {
    const char *name;
    uint32_t form;         /* DIRTYSCAN_PLAIN, DIRTYSCAN_GIVES or DIRTYSCAN_TAKES */
    uint32_t arrays;       /* a bit, 1 << its place, for each array that calls work on */
    uint32_t changes_map;  /* so that it is restored before each call */
    uint32_t starts_clean; /* restored to a map without dirty pages, not to the snapshot */
    uint32_t ends_clean;   /* whether no page may be dirty after a call */
    /* Timed: calls the variant. */
    uint64_t (*call)(const void *function, struct dirtyscan_map *map, struct operation_work *work);
    /* What came out, as a number; NULL for what the call has returned. */
    uint64_t (*settle)(const struct dirtyscan_map *map, const struct operation_work *work);
};

/* A variant as it is called. */
struct operation_callee {
    const struct operation *operation; /* in its form */
    const void *function;
    dirtyscan_prepare *prepare; /* NULL if it works on the map itself */
    dirtyscan_finish *finish;
};

/* Returns the operation called `name` in a form that it has, or NULL. */
const struct operation *operation_find(const char *name, uint32_t form);

/* Returns how a variant is called, whatever version of the contract it was made for. */
struct operation_callee operation_callee(const struct dirtyscan_variant *variant);

/* Returns the length of an array for maps of `pages` pages; 0 if `operation` has no use for it. */
uint64_t operation_bytes(const struct operation *operation, enum operation_array array,
                         uint64_t pages);

/* Makes the work of a snapshot: its runs, and the log from the bitmap of another. */
void operation_prepare(struct operation_work *work, const uint8_t *bitmap, const uint8_t *log,
                       uint64_t dirty, uint64_t pages);

/* Makes the map, and what the operation writes, what they are before a call. */
void operation_restore(const struct operation *operation, struct dirtyscan_map *map,
                       struct operation_work *work, int counted);

/* Lets a variant that has storage of its own fill it. */
void operation_begin(const struct operation_callee *callee, struct dirtyscan_map *map,
                     const struct operation_work *work);

/* Calls a variant once, untimed, with all that follows but the end, and returns what it returned. */
uint64_t operation_call(const struct operation_callee *callee, struct dirtyscan_map *map,
                        struct operation_work *work);

/* Copies what the variant has given in memory of its own to where others put it. */
void operation_receive(const struct operation_callee *callee, const struct dirtyscan_map *map,
                       struct operation_work *work);

/* Lets the variant free that memory. */
void operation_release(struct operation_work *work);

/* Reads back what a variant has in storage of its own, and renews a log that it has taken. */
void operation_end(const struct operation_callee *callee, struct dirtyscan_map *map,
                   struct operation_work *work);

/* The number that came out of a call that has returned `result`. */
uint64_t operation_result(const struct operation *operation, uint64_t result,
                          const struct dirtyscan_map *map, const struct operation_work *work);

/* The same; one that is never right if the map is not clean that must be. */
uint64_t operation_settle(const struct operation *operation, uint64_t result,
                          const struct dirtyscan_map *map, const struct operation_work *work);

/* neutral.c: brings predictors and caches into a state that does not depend on what ran before. */
void stopwatch_neutral(void);

/* other_work.c: makes branch predictors forget what they knew of variants. */
void stopwatch_other_work(void);

/* Where a pass is, for whoever looks after it was cut short. */
struct stopwatch_place {
    volatile uint64_t snapshot; /* its number in the trace */
    volatile uint64_t lane;
    volatile uint64_t active; /* whether a variant has been called and has not returned */
    volatile uint64_t forked; /* 1 + the lane that has started a process; 0 if none has */
    volatile uint64_t forked_on; /* and the number of the snapshot */
    uint64_t process;         /* that measures, or 0 if it does not matter */
};

/*
 * children.c: ends a process that a variant has started and that came back from the call of `lane`,
 * before it measures as well, and leaves word of which it was.
 */
void stopwatch_end_if_started(struct stopwatch_place *place, uint64_t lane, uint64_t snapshot);

/* Says whether a variant has started a process in this pass. Gives that one time to say which. */
void stopwatch_look_for_children(struct stopwatch_place *place);

/* stopwatch.c: fills the arrays that `map` has. */
void stopwatch_fill(struct dirtyscan_map *map, const uint8_t *bitmap);

/* The words of a bitmap of `pages` pages. */
static inline uint64_t operation_words(uint64_t pages)
{
    return (pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
}

#endif
