/* Operations as the stopwatch calls them; see operations.h. */
#include <string.h>

#include "operations.h"

/* stopwatch.c */
void stopwatch_fill(struct dirtyscan_map *map, const uint8_t *bitmap);

static uint64_t call_count(const void *function, struct dirtyscan_map *map,
                           struct operation_work *work)
{
    (void)work;
    return ((dirtyscan_count *)function)(map);
}

static uint64_t call_ranges(const void *function, struct dirtyscan_map *map,
                            struct operation_work *work)
{
    struct dirtyscan_ranges ranges = {.list = work->ranges};
    uint64_t count = ((dirtyscan_list_ranges *)function)(map, &ranges);

    if (ranges.release) {
        ranges.release(&ranges);
    }
    return count;
}

static uint64_t call_drain(const void *function, struct dirtyscan_map *map,
                           struct operation_work *work)
{
    ((dirtyscan_drain *)function)(map, work->taken);
    return 0;
}

static uint64_t call_mark(const void *function, struct dirtyscan_map *map,
                          struct operation_work *work)
{
    uint64_t run;

    for (run = 0; run < work->run_count; run++) {
        ((dirtyscan_mark *)function)(map, work->runs[run].first, work->runs[run].pages);
    }
    return 0;
}

static uint64_t call_merge(const void *function, struct dirtyscan_map *map,
                           struct operation_work *work)
{
    return ((dirtyscan_merge *)function)(map, work->log);
}

static uint64_t call_next(const void *function, struct dirtyscan_map *map,
                          struct operation_work *work)
{
    uint64_t page, found = 0;

    (void)work;
    for (page = 0; page < map->pages; page++, found++) {
        page = ((dirtyscan_next *)function)(map, page);
        if (page >= map->pages) {
            break;
        }
    }
    return found;
}

static uint64_t call_tick(const void *function, struct dirtyscan_map *map,
                          struct operation_work *work)
{
    return ((dirtyscan_tick *)function)(map, work->log, work->sent);
}

static uint64_t set_bits(const uint64_t *words, uint64_t count)
{
    uint64_t word, bits = 0;

    for (word = 0; word < count; word++) {
        bits += (uint64_t)__builtin_popcountll(words[word]);
    }
    return bits;
}

/* The bits that were taken, if the map has none left. */
static uint64_t settle_drain(const struct dirtyscan_map *map, const struct operation_work *work)
{
    uint64_t words = operation_words(map->pages);

    return set_bits(map->words, words) ? UINT64_MAX : set_bits(work->taken, words);
}

static uint64_t settle_mark(const struct dirtyscan_map *map, const struct operation_work *work)
{
    (void)work;
    return set_bits(map->words, operation_words(map->pages));
}

static const struct operation operations[] = {
    {"count", 0, call_count, NULL},       {"ranges", 0, call_ranges, NULL},
    {"drain", 1, call_drain, settle_drain}, {"mark", 1, call_mark, settle_mark},
    {"merge", 1, call_merge, NULL},       {"next", 0, call_next, NULL},
    {"tick", 1, call_tick, NULL},
};

const struct operation *operation_find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return &operations[i];
        }
    }
    return NULL;
}

static uint64_t list_runs(const uint64_t *words, uint64_t pages, struct dirtyscan_range *runs)
{
    uint64_t page = 0, count = 0;

    while (page < pages) {
        const uint64_t word = words[page / 64] >> page % 64;

        if (word == 0) {
            page += 64 - page % 64;
        } else if (!(word & 1)) {
            page += (uint64_t)__builtin_ctzll(word);
        } else {
            const uint64_t first = page;

            while (page < pages && words[page / 64] >> page % 64 & 1) {
                page++;
            }
            runs[count++] = (struct dirtyscan_range){first, page - first};
        }
    }
    return count;
}

static void copy_bitmap(uint64_t *words, const uint8_t *bitmap, uint64_t pages)
{
    words[operation_words(pages) - 1] = 0;
    memcpy(words, bitmap, (pages + 7) / 8);
}

void operation_prepare(struct operation_work *work, const uint8_t *bitmap, const uint8_t *log,
                       uint64_t dirty, uint64_t pages)
{
    work->bitmap = bitmap;
    work->dirty = dirty;
    if (work->runs) {
        copy_bitmap(work->log, bitmap, pages);
        work->run_count = list_runs(work->log, pages, work->runs);
    }
    if (work->log) {
        copy_bitmap(work->log, log, pages);
    }
}

void operation_restore(const struct operation *operation, struct dirtyscan_map *map,
                       struct operation_work *work, int counted)
{
    const uint64_t words = operation_words(map->pages);

    map->dirty = counted ? work->dirty : 0;
    if (!operation->changes_map) {
        return;
    }
    if (work->runs) { /* "mark" starts from a clean map */
        memset(map->words, 0, words * sizeof(*map->words));
        return;
    }
    stopwatch_fill(map, work->bitmap);
    if (work->taken) {
        memset(work->taken, 0, words * sizeof(*work->taken));
    }
}

uint64_t operation_call(const char *name, const void *function, struct dirtyscan_map *map,
                        struct operation_work *work)
{
    return operation_find(name)->call(function, map, work);
}
