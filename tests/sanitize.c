/*
 * Calls a variant as the stopwatch does, on cases of many lengths and densities.
 *
 *     sanitize CASES
 *
 * CASES is a file of 64-bit words: for each case the pages, the argument and the number that a call
 * gives, and three bitmaps, which are the map before the call, the log, and the map after it. Every
 * array has a block of memory of its own size, so that AddressSanitizer sees a byte too far, read
 * or written. Exit status 1 says that a result was wrong, and NOT_HERE that the variant is not for
 * this architecture. Bounds are called too, and their results are not looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#define NOT_HERE 77
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

extern const struct dirtyscan_variant dirtyscan_variant;

struct test_case {
    uint64_t pages;
    uint64_t argument;
    uint64_t result;
    const uint64_t *before;
    const uint64_t *log;
    const uint64_t *after;
};

/* What a byte map looks like: where it begins, and two bytes each of dirty and clean pages. */
struct style {
    uint64_t offset; /* behind an aligned place */
    uint8_t dirty[2];
    uint8_t clean[2];
};

static const struct style plain = {0, {0xff, 0xff}, {0xf7, 0xf7}};

static int is_map(const char *name)
{
    return strcmp(dirtyscan_variant.map, name) == 0;
}

/* Memory that holds something, so that what nobody has made 0 is not 0 by chance. */
static void *block(uint64_t bytes)
{
    return memset(malloc(bytes), 0xa5, bytes);
}

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

static int is_set(const uint64_t *words, uint64_t page)
{
    return (int)(words[page / 64] >> page % 64 & 1);
}

static int is_dirty(const struct dirtyscan_map *map, uint64_t page)
{
    if (map->bytes) {
        return (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    }
    return is_set(map->words, page);
}

/* Changes other users' flags, which must not count. */
static void paint(struct dirtyscan_map *map, const struct style *style)
{
    uint64_t page;

    for (page = 0; map->bytes && page < map->pages; page++) {
        map->bytes[page] = (is_dirty(map, page) ? style->dirty : style->clean)[page % 2];
    }
}

static uint64_t count(const uint64_t *words, uint64_t pages)
{
    uint64_t page, dirty = 0;

    for (page = 0; page < pages; page++) {
        dirty += (uint64_t)is_set(words, page);
    }
    return dirty;
}

static int check(const struct test_case *given, const struct style *style)
{
    const struct operation_callee callee = operation_callee(&dirtyscan_variant);
    const struct operation *operation = callee.operation;
    const uint8_t *before = (const uint8_t *)given->before, *log = (const uint8_t *)given->log;
    const int counted = is_map("counted bitmap");
    struct dirtyscan_map map = make_map(given->pages, style->offset);
    struct operation_work work = {.argument = given->argument};
    uint64_t page, result, wrong = 0;
    int each;

    for (each = 0; each < OPERATION_ARRAYS; each++) {
        const uint64_t bytes = operation_bytes(operation, (enum operation_array)each, given->pages);

        work.arrays[each] = bytes ? block(bytes) : NULL;
    }
    operation_prepare(&work, before, log, count(given->before, given->pages), given->pages);
    stopwatch_fill(&map, before);
    operation_restore(operation, &map, &work, counted);
    paint(&map, style);
    operation_begin(&callee, &map, &work);
    result = operation_call(&callee, &map, &work);
    operation_end(&callee, &map, &work);
    result = operation_result(operation, result, &map, &work);

    for (page = 0; page < given->pages; page++) {
        wrong += is_dirty(&map, page) != is_set(given->after, page);
    }
    wrong += counted && map.dirty != count(given->after, given->pages);
    wrong = (wrong || result != given->result) && !dirtyscan_variant.bound ? wrong + 1 : 0;
    if (wrong) {
        fprintf(stderr,
                "pages %" PRIu64 " argument %" PRIu64 " offset %" PRIu64 ": %" PRIu64
                " instead of %" PRIu64 ", %" PRIu64 " pages wrong\n",
                given->pages, given->argument, style->offset, result, given->result, wrong - 1);
    }
    free_map(&map, style->offset);
    for (each = 0; each < OPERATION_ARRAYS; each++) {
        free(work.arrays[each]);
    }
    return wrong != 0;
}

/* A short byte map in all styles. */
static int check_styles(const struct test_case *given)
{
    static const uint8_t dirty[][2] = {{0xff, 0xff}, {0x08, 0x08}, {0xff, 0x08}};
    static const uint8_t clean[][2] = {{0xf7, 0xf7}, {0x00, 0x00}, {0xf7, 0x00}};
    struct style style;
    size_t i, j;
    int wrong = 0;

    for (style.offset = 0; style.offset < 9; style.offset++) {
        for (i = 0; i < LENGTH(dirty); i++) {
            for (j = 0; j < LENGTH(clean); j++) {
                memcpy(style.dirty, dirty[i], sizeof(style.dirty));
                memcpy(style.clean, clean[j], sizeof(style.clean));
                wrong |= check(given, &style);
            }
        }
    }
    return wrong;
}

static int check_case(const struct test_case *given, uint64_t number)
{
    static const struct style others = {3, {0x08, 0x08}, {0x00, 0x00}};
    int wrong = check(given, &plain);

    if (is_map("byte map")) {
        wrong |= check(given, &others);
        wrong |= given->pages <= 70 && number % 7 == 0 && check_styles(given);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    uint64_t head[3], number;
    int whole = 1, wrong = 0;
    FILE *file;

    if (dirtyscan_variant.run.count == NULL) { /* of whatever type */
        return NOT_HERE;
    }
    file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    for (number = 0; file && whole && fread(head, sizeof(head), 1, file) == 1; number++) {
        const uint64_t words = operation_words(head[0]);
        uint64_t *bitmaps = malloc(3 * words * sizeof(*bitmaps));
        const struct test_case given = {head[0], head[1],         head[2],
                                        bitmaps, bitmaps + words, bitmaps + 2 * words};

        whole = fread(bitmaps, sizeof(*bitmaps), 3 * words, file) == 3 * words;
        wrong |= whole ? check_case(&given, number) : 2;
        free(bitmaps);
    }
    if (file) {
        fclose(file);
    }
    return number ? wrong : 2;
}
