/* What surrounds the call of an operation, but for the clock; see operations.h. */
#include <string.h>

#include "operations.h"

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
    work->logged = log;
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
    if (operation->starts_clean) {
        memset(map->words, 0, words * sizeof(*map->words));
        return;
    }
    stopwatch_fill(map, work->bitmap);
    if (work->taken) {
        memset(work->taken, 0, words * sizeof(*work->taken));
    }
}

void operation_begin(const struct operation_callee *callee, struct dirtyscan_map *map,
                     const struct operation_work *work)
{
    if (callee->prepare) {
        /* Where there are runs, the log is what they were found in. */
        map->state = callee->prepare(map, work->runs ? NULL : work->log);
    }
}

uint64_t operation_call(const struct operation_callee *callee, struct dirtyscan_map *map,
                        struct operation_work *work)
{
    const uint64_t result = callee->operation->call(callee->function, map, work);

    operation_receive(callee, map, work);
    operation_release(work);
    return result;
}

void operation_receive(const struct operation_callee *callee, const struct dirtyscan_map *map,
                       struct operation_work *work)
{
    const uint64_t words = operation_words(map->pages);
    const uint64_t count = work->given.count < words ? work->given.count : words;

    if (callee->operation->form == DIRTYSCAN_GIVES && work->given.words != work->taken) {
        memcpy(work->taken, work->given.words, count * sizeof(*work->taken));
        memset(work->taken + count, 0, (words - count) * sizeof(*work->taken));
    }
}

void operation_release(struct operation_work *work)
{
    if (work->given.release) {
        work->given.release(&work->given);
        work->given.release = NULL;
    }
}

void operation_end(const struct operation_callee *callee, struct dirtyscan_map *map,
                   struct operation_work *work)
{
    if (callee->finish) {
        const struct dirtyscan_output output = {.taken = work->taken, .ranges = work->ranges};

        callee->finish(map->state, map, &output);
        map->state = NULL;
    }
    if (callee->operation->form == DIRTYSCAN_TAKES) {
        copy_bitmap(work->log, work->logged, map->pages);
    }
}
