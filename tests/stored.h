/*
 * A type with storage of its own, for tests: a byte a page, which the map's words know nothing of.
 *
 * What a test wants wrong or slow it defines before it includes this.
 */
#include <stdlib.h>
#include <string.h>

#include "dirtyscan_macros.h"

#ifndef WHEN_FILLED
#define WHEN_FILLED
#endif
#ifndef WHEN_READ
#define WHEN_READ
#endif

struct stored {
    uint64_t pages;
    uint8_t *dirty;
    uint8_t *logged;
    uint8_t *taken;
    struct dirtyscan_range *ranges; /* listed so far */
    uint64_t range_count;
};

/* A hundred times the work of a count. */
static inline void stored_busy(const struct stored *stored)
{
    static volatile uint64_t dirty;
    uint64_t again, page;

    for (again = 0; again < 100; again++) {
        for (page = 0; page < stored->pages; page++) {
            dirty += stored->dirty[page];
        }
    }
}

static int stored_bit(const uint64_t *words, uint64_t page)
{
    return words && words[page / 64] >> page % 64 & 1;
}

static void stored_set(uint64_t *words, const uint8_t *pages, uint64_t count)
{
    uint64_t page;

    memset(words, 0, (count + 63) / 64 * 8);
    for (page = 0; page < count; page++) {
        words[page / 64] |= (uint64_t)pages[page] << page % 64;
    }
}

static void *fill(const struct dirtyscan_map *map, const uint64_t *log)
{
    struct stored *stored = calloc(1, sizeof(*stored));
    uint64_t page;

    stored->pages = map->pages;
    stored->dirty = calloc(map->pages, 1);
    stored->logged = calloc(map->pages, 1);
    stored->taken = calloc(map->pages, 1);
    stored->ranges = calloc(map->pages, sizeof(*stored->ranges));
    for (page = 0; page < map->pages; page++) {
        stored->dirty[page] = (uint8_t)stored_bit(map->words, page);
        stored->logged[page] = (uint8_t)stored_bit(log, page);
    }
    WHEN_FILLED
    return stored;
}

static void read_back(void *state, struct dirtyscan_map *map, const struct dirtyscan_output *output)
{
    struct stored *stored = state;

    WHEN_READ
    stored_set(map->words, stored->dirty, stored->pages);
    if (output->taken) {
        stored_set(output->taken, stored->taken, stored->pages);
    }
    if (output->ranges) {
        memcpy(output->ranges, stored->ranges, stored->range_count * sizeof(*stored->ranges));
    }
    free(stored->dirty);
    free(stored->logged);
    free(stored->taken);
    free(stored->ranges);
    free(stored);
}

static inline uint64_t stored_count(const struct stored *stored)
{
    uint64_t page, dirty = 0;

    for (page = 0; page < stored->pages; page++) {
        dirty += stored->dirty[page];
    }
    return dirty;
}

static inline uint64_t stored_ranges(struct stored *stored)
{
    uint64_t page;

    stored->range_count = 0;
    for (page = 0; page < stored->pages; page++) {
        if (stored->dirty[page]) {
            if (page == 0 || !stored->dirty[page - 1]) {
                stored->ranges[stored->range_count++] = (struct dirtyscan_range){page, 0};
            }
            stored->ranges[stored->range_count - 1].pages++;
        }
    }
    return stored->range_count;
}

static inline void stored_take(struct stored *stored)
{
    uint64_t page;

    for (page = 0; page < stored->pages; page++) {
        stored->taken[page] = __atomic_exchange_n(&stored->dirty[page], 0, __ATOMIC_SEQ_CST);
    }
}

/* In words at once, as others mark pages meanwhile and want to know which were taken. */
static inline void stored_drain(const struct dirtyscan_map *map, uint64_t *taken)
{
    struct stored *stored = map->state;

    stored_take(stored);
    stored_set(taken, stored->taken, stored->pages);
}

static inline void stored_mark(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
{
    struct stored *stored = map->state;

    for (; pages--; first++) {
        __atomic_store_n(&stored->dirty[first], 1, __ATOMIC_SEQ_CST);
    }
}

static inline uint64_t stored_merge(struct stored *stored)
{
    uint64_t page, added = 0;

    for (page = 0; page < stored->pages; page++) {
        added += stored->logged[page] && !stored->dirty[page];
        stored->dirty[page] |= stored->logged[page];
    }
    return added;
}

static inline uint64_t stored_next(const struct stored *stored, uint64_t from)
{
    while (from < stored->pages && !stored->dirty[from]) {
        from++;
    }
    return from;
}

#define OF_STORED .prepare = fill, .finish = read_back
