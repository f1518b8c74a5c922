/*
 * Calls a variant as the stopwatch does, on maps of many lengths and densities. Every array has a
 * block of memory of its own size, so that AddressSanitizer sees a byte too far, read or written.
 * Exit status 1 says that a result was wrong, and NOT_HERE that the variant is not for this
 * architecture. Bounds are called too, and their results are not looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#define NOT_HERE 77
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

extern const struct dirtyscan_variant dirtyscan_variant;

/* stopwatch.c */
void stopwatch_fill(struct dirtyscan_map *map, const uint8_t *bitmap);

static int is_map(const char *name)
{
    return strcmp(dirtyscan_variant.map, name) == 0;
}

static int is_operation(const char *name)
{
    return strcmp(dirtyscan_variant.operation, name) == 0;
}

static const void *function(void)
{
    return (const void *)dirtyscan_variant.run.count; /* of whatever type */
}

/* Memory that holds something, so that what nobody has made 0 is not 0 by chance. */
static void *block(uint64_t bytes)
{
    return memset(malloc(bytes), 0xa5, bytes);
}

/* A map of the variant's kind; its bytes, if it has some, begin `offset` behind an aligned place. */
static struct dirtyscan_map make_map(uint64_t pages, uint64_t offset)
{
    static const uint64_t page_sizes[] = {4096, 16384};
    const uint64_t lines = (pages + DIRTYSCAN_SUMMARY_PAGES - 1) / DIRTYSCAN_SUMMARY_PAGES;
    struct dirtyscan_map map = {.pages = pages, .page_size = page_sizes[pages % 2]};

    if (is_map("byte map")) {
        map.bytes = (uint8_t *)block(offset + pages) + offset;
    } else {
        map.words = block(operation_words(pages) * sizeof(*map.words));
    }
    if (is_map("two-level bitmap")) {
        map.summary = block(operation_words(lines) * sizeof(*map.summary));
    }
    return map;
}

static void free_map(struct dirtyscan_map *map, uint64_t offset)
{
    free(map->bytes ? map->bytes - offset : NULL);
    free(map->words);
    free(map->summary);
}

static int is_dirty(const struct dirtyscan_map *map, uint64_t page)
{
    if (map->bytes) {
        return (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    }
    return (int)(map->words[page / 64] >> page % 64 & 1);
}

/* Which pages are dirty: none, all, every other, the last, long runs, few, nearly all. */
#define DENSITIES 7

static int is_in(int density, uint64_t page, uint64_t pages)
{
    const uint64_t mixed = (page + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

    switch (density) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return page % 2 == 0; /* the most ranges that there can be */
    case 3:
        return page == pages - 1;
    case 4:
        return page % 237 < 150;
    case 5:
        return mixed % 16 == 0;
    default:
        return mixed % 16 != 0;
    }
}

static uint8_t *make_bitmap(int density, uint64_t pages)
{
    uint8_t *bitmap = calloc((pages + 7) / 8, 1);
    uint64_t page;

    for (page = 0; page < pages; page++) {
        bitmap[page / 8] |= (uint8_t)(is_in(density, page, pages) << page % 8);
    }
    return bitmap;
}

/* What is left to be dirty after the operation, and the number that it gives, page by page. */
struct right {
    uint64_t result;
    uint64_t left;    /* so far */
    uint64_t wrong;   /* pages that are not what they should be */
    int before;       /* whether the page before was dirty */
    uint64_t to_send; /* by "tick" */
};

static void add_page(struct right *right, int dirty, int logged, int found)
{
    int left = dirty;

    if (is_operation("ranges")) {
        right->result += dirty && !right->before;
    } else if (is_operation("merge")) {
        right->result += logged && !dirty;
        left = dirty || logged;
    } else if (is_operation("tick")) {
        left = dirty || logged;
        right->result += (uint64_t)left;
        if (left && right->to_send) {
            right->to_send--;
            left = 0;
        }
    } else {
        right->result += (uint64_t)dirty;
        left = dirty && !is_operation("drain");
    }
    right->before = dirty;
    right->left += (uint64_t)left;
    right->wrong += left != found;
}

/* Says whether "next" is wrong from any page on, where `pages` are few. */
static int check_next(const struct dirtyscan_map *map)
{
    uint64_t page, right = map->pages;

    for (page = map->pages; page--;) {
        const uint64_t found = dirtyscan_variant.run.next(map, page);

        right = is_dirty(map, page) ? page : right;
        if (found != right && !dirtyscan_variant.bound) {
            fprintf(stderr, "pages %" PRIu64 ": next from %" PRIu64 " is %" PRIu64 "\n", map->pages,
                    page, found);
            return 1;
        }
    }
    return 0;
}

static int check(uint64_t pages, uint64_t offset, int density, int logged, uint64_t sent)
{
    const struct operation *operation = operation_find(dirtyscan_variant.operation);
    const uint64_t word_bytes = operation_words(pages) * sizeof(uint64_t);
    /* Between two pages of different ranges lies a clean one. */
    const uint64_t range_bytes = (pages + 1) / 2 * sizeof(struct dirtyscan_range);
    const int counted = is_map("counted bitmap"), marks = is_operation("mark");
    struct dirtyscan_map map = make_map(pages, offset);
    uint8_t *bitmap = make_bitmap(density, pages), *log = make_bitmap(logged, pages);
    struct operation_work work = {.sent = sent};
    struct right right = {.to_send = sent};
    uint64_t page, dirty = 0, result;
    int wrong;

    if (marks || is_operation("merge") || is_operation("tick")) {
        work.log = block(word_bytes);
    }
    work.taken = is_operation("drain") ? block(word_bytes) : NULL;
    work.ranges = is_operation("ranges") ? block(range_bytes) : NULL;
    work.runs = marks ? block(range_bytes) : NULL;
    for (page = 0; page < pages; page++) {
        dirty += (uint64_t)is_in(density, page, pages);
    }

    operation_prepare(&work, bitmap, log, dirty, pages);
    stopwatch_fill(&map, bitmap);
    operation_restore(operation, &map, &work, counted);
    result = operation->call(function(), &map, &work);
    result = operation->settle ? operation->settle(&map, &work) : result;

    for (page = 0; page < pages; page++) {
        add_page(&right, is_in(density, page, pages), is_in(logged, page, pages),
                 is_dirty(&map, page));
    }
    wrong = result != right.result || right.wrong || (counted && map.dirty != right.left);
    wrong &= !dirtyscan_variant.bound;
    if (wrong) {
        fprintf(stderr,
                "pages %" PRIu64 " density %d log %d sent %" PRIu64 ": %" PRIu64 " instead of %" PRIu64
                ", %" PRIu64 " pages wrong\n",
                pages, density, logged, sent, result, right.result, right.wrong);
    }
    if (is_operation("next") && pages <= 513) {
        wrong |= check_next(&map);
    }
    free_map(&map, offset);
    free(bitmap);
    free(log);
    free(work.log);
    free(work.taken);
    free(work.ranges);
    free(work.runs);
    return wrong;
}

static int check_log(uint64_t pages, uint64_t offset, int density, int logged)
{
    const uint64_t sent[] = {0, 1, 5, pages + 1};
    int wrong = 0;
    size_t i;

    for (i = 0; i < (is_operation("tick") ? LENGTH(sent) : 1); i++) {
        wrong |= check(pages, offset, density, logged, sent[i]);
    }
    return wrong;
}

/* The operation as the stopwatch calls it. */
static int check_all(void)
{
    /* The last needs a second word of the summary. */
    static const uint64_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 511, 512, 513, 1025, 4096 + 7,
                                       64 * 512 + 7};
    int density, logged, wrong = 0;
    size_t i;

    for (i = 0; i < LENGTH(lengths); i++) {
        for (density = 0; density < DENSITIES; density++) {
            for (logged = 0; logged < DENSITIES; logged++) {
                if (lengths[i] < 1000 || logged == (density + 3) % DENSITIES) {
                    wrong |= check_log(lengths[i], 0, density, logged);
                }
            }
            if (is_map("byte map")) {
                wrong |= check_log(lengths[i], 3, density, 4);
            }
        }
    }
    return wrong;
}

/* Counts a map of runs of two bytes, which other users' flags make differ from those above. */
static int check_count(uint64_t pages, uint64_t offset, uint64_t run, uint8_t first, uint8_t second)
{
    struct dirtyscan_map map = make_map(pages, offset);
    uint8_t *bitmap = calloc((pages + 7) / 8, 1);
    uint64_t page, expected = 0, counted;

    for (page = 0; page < pages; page++) {
        const uint8_t byte = (page / run) % 2 ? second : first;
        const int dirty = (byte & DIRTYSCAN_MIGRATION_FLAG) != 0;

        expected += (uint64_t)dirty;
        bitmap[page / 8] |= (uint8_t)(dirty << page % 8);
    }
    stopwatch_fill(&map, bitmap);
    for (page = 0; map.bytes && page < pages; page++) {
        map.bytes[page] = (page / run) % 2 ? second : first;
    }
    map.dirty = is_map("counted bitmap") ? expected : 0;
    counted = dirtyscan_variant.run.count(&map);
    if (dirtyscan_variant.bound) {
        counted = expected;
    }
    if (counted != expected) {
        fprintf(stderr,
                "pages %" PRIu64 " offset %" PRIu64 " run %" PRIu64 ": %" PRIu64 " instead of %" PRIu64
                "\n",
                pages, offset, run, counted, expected);
    }
    free_map(&map, offset);
    free(bitmap);
    return counted != expected;
}

static int check_counts(void)
{
    static const uint8_t bytes[] = {0xff, 0xf7, 0x08, 0x00};
    static const uint64_t runs[] = {1, 2, 5, 8, 33};
    static const uint64_t large[] = {255, 256, 511, 512, 513, 4095, 4096, 9000, 33000, 70001};
    const uint64_t offsets = is_map("byte map") ? 9 : 1; /* words have their alignment */
    uint64_t pages, offset, run;
    size_t i, first, second;
    int wrong = 0;

    for (pages = 1; pages <= 70; pages++) {
        for (offset = 0; offset < offsets; offset++) {
            for (i = 0; i < LENGTH(runs); i++) {
                for (first = 0; first < sizeof(bytes); first++) {
                    for (second = 0; second < sizeof(bytes); second++) {
                        wrong |= check_count(pages, offset, runs[i], bytes[first], bytes[second]);
                    }
                }
            }
        }
    }
    for (i = 0; i < LENGTH(large); i++) {
        for (run = 1; run <= large[i]; run *= 7) {
            wrong |= check_count(large[i], offsets / 3, run, 0xff, 0xf7);
            wrong |= check_count(large[i], 0, run, 0x00, 0x08);
        }
    }
    return wrong;
}

int main(void)
{
    if (function() == NULL) {
        return NOT_HERE;
    }
    return check_all() | (is_operation("count") ? check_counts() : 0);
}
