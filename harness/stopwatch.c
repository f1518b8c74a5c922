/*
 * The stopwatch: times single calls of several variants on one snapshot after another.
 *
 * The map is built from the snapshot's bitmap, outside the timed region, into the one buffer that
 * all variants look at; QEMU too has just walked the map, to merge the dirty log, when it counts.
 * Then each variant is called in the order given, between two readings of the clock that pyperf and
 * Python's time.perf_counter() read on Linux.
 */
#include <time.h>

#include "dirtyscan.h"

/* One variant as it takes part in a pass. */
struct stopwatch_lane {
    dirtyscan_count_bytes *count;
    uint64_t calls; /* between two readings of the clock */
};

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Builds the byte map of a bitmap (one bit a page, lowest page in the lowest bit). */
void stopwatch_expand(const struct dirtyscan_byte_map *map, const uint8_t *bitmap)
{
    uint64_t page;

    for (page = 0; page < map->pages; page++) {
        int dirty = (bitmap[page / 8] >> (page % 8)) & 1;

        map->bytes[page] = dirty ? DIRTYSCAN_DIRTY : DIRTYSCAN_CLEAN;
    }
}

/*
 * One pass over `snapshots` bitmaps of `bitmap_bytes` each, one behind the other. `order` holds for
 * each snapshot the lanes in the order in which to call them. Nanoseconds and the last count go to
 * element [lane * snapshots + snapshot] of `elapsed` and `counts`.
 */
void stopwatch_pass(const struct dirtyscan_byte_map *map, const uint8_t *bitmaps,
                    uint64_t bitmap_bytes, uint64_t snapshots, const struct stopwatch_lane *lanes,
                    uint64_t lane_count, const uint8_t *order, uint64_t *elapsed, uint64_t *counts)
{
    uint64_t snapshot, turn, call;

    for (snapshot = 0; snapshot < snapshots; snapshot++) {
        stopwatch_expand(map, bitmaps + snapshot * bitmap_bytes);
        for (turn = 0; turn < lane_count; turn++) {
            uint64_t lane = order[snapshot * lane_count + turn];
            dirtyscan_count_bytes *count = lanes[lane].count;
            uint64_t calls = lanes[lane].calls, counted = 0, start, end;

            start = now();
            for (call = 0; call < calls; call++) {
                counted = count(map);
            }
            end = now();
            elapsed[lane * snapshots + snapshot] = end - start;
            counts[lane * snapshots + snapshot] = counted;
        }
    }
}

/* The cost of reading the clock: the shortest of `readings` intervals with nothing in them, in ns. */
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
