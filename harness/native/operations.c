/* Operations as the stopwatch calls them; see operations.h. */
#include <string.h>

#include "operations.h"

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

static uint64_t call_drain_giving(const void *function, struct dirtyscan_map *map,
                                  struct operation_work *work)
{
    work->given =
        (struct dirtyscan_taken){.words = work->taken, .count = operation_words(map->pages)};
    ((dirtyscan_drain_giving *)function)(map, &work->given);
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

static uint64_t call_merge_taking(const void *function, struct dirtyscan_map *map,
                                  struct operation_work *work)
{
    return ((dirtyscan_merge_taking *)function)(map, work->log);
}

static uint64_t call_next(const void *function, struct dirtyscan_map *map,
                          struct operation_work *work)
{
    uint64_t page, found = 0;

    for (page = work->argument; page < map->pages; page++, found++) {
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
    return ((dirtyscan_tick *)function)(map, work->log, work->argument);
}

static uint64_t set_bits(const uint64_t *words, uint64_t count)
{
    uint64_t word, bits = 0;

    for (word = 0; word < count; word++) {
        bits += (uint64_t)__builtin_popcountll(words[word]);
    }
    return bits;
}

static uint64_t settle_taken(const struct dirtyscan_map *map, const struct operation_work *work)
{
    return set_bits(work->taken, operation_words(map->pages));
}

static uint64_t settle_map(const struct dirtyscan_map *map, const struct operation_work *work)
{
    (void)work;
    return set_bits(map->words, operation_words(map->pages));
}

#define USES(array) (1u << OPERATION_##array)

static const struct operation operations[] = {
    {.name = "count", .call = call_count},
    {.name = "ranges", .arrays = USES(RANGES), .call = call_ranges},
    {.name = "drain",
     .arrays = USES(TAKEN),
     .changes_map = 1,
     .ends_clean = 1,
     .call = call_drain,
     .settle = settle_taken},
    {.name = "drain",
     .form = DIRTYSCAN_GIVES,
     .arrays = USES(TAKEN),
     .changes_map = 1,
     .ends_clean = 1,
     .call = call_drain_giving,
     .settle = settle_taken},
    {.name = "mark",
     .arrays = USES(RUNS) | USES(LOG),
     .changes_map = 1,
     .starts_clean = 1,
     .call = call_mark,
     .settle = settle_map},
    {.name = "merge", .arrays = USES(LOG), .changes_map = 1, .call = call_merge},
    {.name = "merge",
     .form = DIRTYSCAN_TAKES,
     .arrays = USES(LOG),
     .changes_map = 1,
     .call = call_merge_taking},
    {.name = "next", .call = call_next},
    {.name = "tick", .arrays = USES(LOG), .changes_map = 1, .call = call_tick},
};

const struct operation *operation_find(const char *name, uint32_t form)
{
    size_t i;

    for (i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].name, name) == 0 && operations[i].form == form) {
            return &operations[i];
        }
    }
    return NULL;
}

struct operation_callee operation_callee(const struct dirtyscan_variant *variant)
{
    /* What was made for version 2 ends before these fields. */
    const int whole = variant->abi >= 3;

    return (struct operation_callee){
        .operation = operation_find(variant->operation, whole ? variant->form : DIRTYSCAN_PLAIN),
        .function = (const void *)variant->run.count, /* of whatever type */
        .prepare = whole ? variant->prepare : NULL,
        .finish = whole ? variant->finish : NULL,
    };
}

uint64_t operation_bytes(const struct operation *operation, enum operation_array array,
                         uint64_t pages)
{
    if (!(operation->arrays >> array & 1)) {
        return 0;
    }
    if (array == OPERATION_LOG || array == OPERATION_TAKEN) {
        return operation_words(pages) * sizeof(uint64_t);
    }
    /* Between two pages of different ranges lies a clean one. */
    return (pages + 1) / 2 * sizeof(struct dirtyscan_range);
}

uint64_t operation_result(const struct operation *operation, uint64_t result,
                          const struct dirtyscan_map *map, const struct operation_work *work)
{
    return operation->settle ? operation->settle(map, work) : result;
}

uint64_t operation_settle(const struct operation *operation, uint64_t result,
                          const struct dirtyscan_map *map, const struct operation_work *work)
{
    if (operation->ends_clean && set_bits(map->words, operation_words(map->pages))) {
        return UINT64_MAX;
    }
    return operation_result(operation, result, map, work);
}
