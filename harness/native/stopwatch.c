/*
 * The stopwatch: times single calls of several variants on one snapshot after another.
 *
 * The map is built from the snapshot's bitmap, outside the timed region, in each representation
 * that a variant looks at. Then each variant is called in the order given, between two readings of
 * the clock that pyperf and Python's time.perf_counter() read on Linux.
 *
 * Before each snapshot other work may come (other_work.c), as between two counts of a migration.
 * Before each call comes a neutral stretch (neutral.c), so that what ran before does not matter. Then
 * the variant's own map is walked from end to end, untimed, so that what a variant finds in the caches
 * is what a walk has left there, and not what the one before it has. In a migration it is less: between
 * the merge and the count, a tick's pages are sent. A variant with storage of its own fills that after
 * the walk, and finds what filling it has left.
 */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "operations.h"

#define LINE 64 /* bytes that a walk steps over */

/* One variant as it takes part in a pass. */
struct stopwatch_lane {
    struct operation_callee callee;
    struct dirtyscan_map *map; /* in its representation */
    uint64_t calls;            /* between two readings of the clock */
    uint64_t number;           /* of its variant, for the place */
    uint64_t counted;          /* whether its map knows how many pages are dirty */
};

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t summary_words_of(uint64_t pages)
{
    return operation_words((pages + DIRTYSCAN_SUMMARY_PAGES - 1) / DIRTYSCAN_SUMMARY_PAGES);
}

/* The bytes of eight pages for each possible byte of a bitmap. */
static uint8_t bytes_of[256][8];

__attribute__((constructor)) static void make_bytes_of(void)
{
    int bits, page;

    for (bits = 0; bits < 256; bits++) {
        for (page = 0; page < 8; page++) {
            bytes_of[bits][page] = bits >> page & 1 ? DIRTYSCAN_DIRTY : DIRTYSCAN_CLEAN;
        }
    }
}

static void expand(const struct dirtyscan_map *map, const uint8_t *bitmap)
{
    uint64_t page;

    for (page = 0; page + 8 <= map->pages; page += 8) {
        memcpy(map->bytes + page, bytes_of[bitmap[page / 8]], 8);
    }
    if (page < map->pages) {
        memcpy(map->bytes + page, bytes_of[bitmap[page / 8]], map->pages - page);
    }
}

static void summarize(const struct dirtyscan_map *map, const uint64_t *words)
{
    const uint64_t line_words = DIRTYSCAN_SUMMARY_PAGES / DIRTYSCAN_WORD_PAGES;
    uint64_t word;

    memset(map->summary, 0, summary_words_of(map->pages) * sizeof(*map->summary));
    for (word = 0; word < operation_words(map->pages); word++) {
        uint64_t line = word / line_words;

        map->summary[line / 64] |= (uint64_t)(words[word] != 0) << line % 64;
    }
}

/*
 * Fills the arrays that `map` has from a bitmap (one bit a page, lowest page in the lowest bit of
 * the first byte). `words` must be there if `summary` is.
 */
void stopwatch_fill(struct dirtyscan_map *map, const uint8_t *bitmap)
{
    if (map->bytes) {
        expand(map, bitmap);
    }
    if (map->words) {
        map->words[operation_words(map->pages) - 1] = 0;
        memcpy(map->words, bitmap, (map->pages + 7) / 8);
        if (map->summary) {
            summarize(map, map->words);
        }
    }
}

static void walk_array(const void *array, uint64_t bytes)
{
    const volatile uint8_t *byte = array;
    uint64_t place;

    for (place = 0; byte && place < bytes; place += LINE) {
        (void)byte[place];
    }
}

/* Reads a byte of every cache line of `map`. */
void stopwatch_walk(const struct dirtyscan_map *map)
{
    walk_array(map->bytes, map->pages);
    walk_array(map->words, operation_words(map->pages) * sizeof(*map->words));
    walk_array(map->summary, summary_words_of(map->pages) * sizeof(*map->summary));
}

/*
 * Settles a call that has just returned `result`: returns the number that came out, and adds to
 * `elapsed` the time in which the variant has freed what it gave. `bitmap` is the snapshot.
 */
static uint64_t settle(const struct operation_callee *callee, uint64_t result,
                       struct dirtyscan_map *map, struct operation_work *work,
                       const uint8_t *bitmap, uint64_t *elapsed)
{
    operation_receive(callee, map, work);
    if (work->given.release) {
        const uint64_t start = now();

        operation_release(work);
        *elapsed += now() - start;
    }
    operation_end(callee, map, work);
    result = operation_settle(callee->operation, result, map, work);
    /* It has been written, right or wrong, and others are going to read it. */
    if (callee->finish && !callee->operation->changes_map) {
        stopwatch_fill(map, bitmap);
    }
    return result;
}

/* The snapshots of a trace. */
struct stopwatch_snapshots {
    const uint8_t *bitmaps;  /* one behind the other */
    const uint8_t *logs;     /* what is merged into each, in the same way */
    uint64_t bitmap_bytes;   /* of each */
    const uint64_t *numbers; /* in the trace */
    const uint64_t *dirty;   /* how many pages are dirty in each */
    uint64_t count;
};

/*
 * One pass over snapshots. `whole` has the arrays of all representations; the lanes' maps point
 * into it. `work` has the arrays that the operation needs. `visited` holds the places of the
 * snapshots in the order in which to visit them, and `order` for each of these visits the lanes in
 * the order in which to call them. `other_work` says whether any comes before each visit, which takes
 * as long as several calls. Nanoseconds and the last result go to element
 * [lane * snapshots + snapshot] of `elapsed` and `results`.
 *
 * An operation that changes the map finds it restored before each call, which is not timed; it is
 * called once then, whatever `calls` says.
 */
void stopwatch_pass(const struct operation *operation, struct dirtyscan_map *whole,
                    struct operation_work *work, const struct stopwatch_snapshots *snapshots,
                    const uint64_t *visited, uint64_t visits, uint64_t other_work,
                    const struct stopwatch_lane *lanes, uint64_t lane_count, const uint16_t *order,
                    uint64_t *elapsed, uint64_t *results, struct stopwatch_place *place)
{
    uint64_t visit, turn, call;

    for (visit = 0; visit < visits; visit++) {
        const uint64_t snapshot = visited[visit];
        const uint8_t *bitmap = snapshots->bitmaps + snapshot * snapshots->bitmap_bytes;
        const uint8_t *log = snapshots->logs + snapshot * snapshots->bitmap_bytes;

        if (other_work) {
            stopwatch_other_work();
        }
        operation_prepare(work, bitmap, log, snapshots->dirty[snapshot], whole->pages);
        if (!operation->changes_map) {
            stopwatch_fill(whole, bitmap);
        }
        place->snapshot = snapshots->numbers[snapshot];
        for (turn = 0; turn < lane_count; turn++) {
            const uint64_t lane = order[visit * lane_count + turn];
            const uint64_t at = lane * snapshots->count + snapshot;
            const uint64_t calls = operation->changes_map ? 1 : lanes[lane].calls;
            const struct operation_callee *callee = &lanes[lane].callee;
            const struct operation *form = callee->operation;
            const void *function = callee->function;
            struct dirtyscan_map *map = lanes[lane].map;
            uint64_t result = 0, start, end;

            place->lane = lanes[lane].number;
            stopwatch_neutral();
            operation_restore(operation, map, work, lanes[lane].counted != 0);
            place->active = 1;
            stopwatch_walk(map);
            operation_begin(callee, map, work);
            start = now();
            for (call = 0; call < calls; call++) {
                result = form->call(function, map, work);
            }
            end = now();
            elapsed[at] = end - start;
            results[at] = settle(callee, result, map, work, bitmap, &elapsed[at]);
            /* Not place->lane: a process that was started shares it, and may come back late. */
            stopwatch_end_if_started(place, lanes[lane].number, snapshots->numbers[snapshot]);
            place->active = 0;
        }
    }
    stopwatch_look_for_children(place);
}

/* The cost of reading the clock: the shortest of `readings` intervals with nothing in it, in ns. */
uint64_t stopwatch_clock_cost(uint64_t readings)
{
    uint64_t shortest = UINT64_MAX;

    while (readings--) {
        uint64_t start = now(), elapsed = now() - start;

        if (elapsed < shortest) {
            shortest = elapsed;
        }
    }
    return shortest;
}
