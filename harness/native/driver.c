/*
 * The driver: calls a variant on snapshots in a program of its own, for tools that look at programs
 * (valgrind, perf).
 *
 *     driver VARIANT BITMAPS PAGES PAGE_SIZE SNAPSHOTS CALLS ARGUMENT
 *
 * BITMAPS is a file of bitmaps, one behind the other; what is merged into each is the next one,
 * into the last the first. Builds each snapshot's map as the stopwatch does, calls the variant
 * CALLS times, and prints the sum of what came out. With a minus before CALLS it does all but the
 * calls: what a tool finds in both was not the variant's. ARGUMENT is the number that calls are given.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#define NOINLINE __attribute__((noinline))

/* How a variant is called that may give memory of its own, whose release is a part of the call. */
static uint64_t (*call_giving)(const void *function, struct dirtyscan_map *map,
                               struct operation_work *work);

static uint64_t call_and_release(const void *function, struct dirtyscan_map *map,
                                 struct operation_work *work)
{
    const uint64_t result = call_giving(function, map, work);

    operation_release(work);
    return result;
}

/* The tools count what happens in this function and in what it calls. */
NOINLINE
uint64_t dirtyscan_measured(const struct operation *operation, const void *function,
                            struct dirtyscan_map *map, struct operation_work *work)
{
    uint64_t result = operation->call(function, map, work);

    /* So that this is no tail call, after which the tools would not see the end. */
    __asm__ volatile("" : "+r"(result));
    return result;
}

static uint64_t set_bits(const uint8_t *bitmap, uint64_t bytes)
{
    uint64_t byte, dirty = 0;

    for (byte = 0; byte < bytes; byte++) {
        dirty += (uint64_t)__builtin_popcount(bitmap[byte]);
    }
    return dirty;
}

/* Memory for an array, in whole pages, clean and there. */
static void *array(uint64_t bytes)
{
    const uint64_t whole = (bytes + 4095) / 4096 * 4096;
    void *memory = aligned_alloc(4096, whole);

    if (memory == NULL) {
        exit(2);
    }
    return memset(memory, 0, whole);
}

/* Returns NULL if they cannot be read. */
static uint8_t *read_bitmaps(const char *path, uint64_t bytes, uint64_t count)
{
    uint8_t *bitmaps = array(bytes * count);
    FILE *file = fopen(path, "rb");
    const uint64_t found = file ? fread(bitmaps, bytes, count, file) : 0;

    if (file) {
        fclose(file);
    }
    return found == count ? bitmaps : NULL;
}

int main(int argc, char **argv)
{
    const struct dirtyscan_variant *variant;
    struct operation_callee callee;
    struct operation operation;
    struct dirtyscan_map map = {0};
    struct operation_work work = {0};
    uint64_t bytes, snapshots, snapshot, calls, call, words, total = 0;
    int each, rehearsed;
    uint8_t *bitmaps;
    void *library;

    if (argc != 8) {
        return 2;
    }
    library = dlopen(argv[1], RTLD_NOW);
    variant = library ? dlsym(library, "dirtyscan_variant") : NULL;
    if (variant == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    callee = operation_callee(variant);
    operation = *callee.operation;
    if (operation.form == DIRTYSCAN_GIVES) {
        call_giving = operation.call;
        operation.call = call_and_release;
    }
    map.pages = strtoull(argv[3], NULL, 10);
    map.page_size = strtoull(argv[4], NULL, 10);
    snapshots = strtoull(argv[5], NULL, 10);
    rehearsed = argv[6][0] == '-';
    calls = strtoull(argv[6] + rehearsed, NULL, 10);
    work.argument = strtoull(argv[7], NULL, 10);

    bytes = (map.pages + 7) / 8;
    words = operation_words(map.pages) * sizeof(*map.words);
    bitmaps = read_bitmaps(argv[2], bytes, snapshots);
    if (bitmaps == NULL) {
        return 2;
    }
    if (strcmp(variant->map, "byte map") == 0) {
        map.bytes = array(map.pages);
    } else {
        map.words = array(words);
    }
    if (strcmp(variant->map, "two-level bitmap") == 0) {
        map.summary = array(words);
    }
    for (each = 0; each < OPERATION_ARRAYS; each++) {
        const uint64_t length = operation_bytes(&operation, (enum operation_array)each, map.pages);

        work.arrays[each] = length ? array(length) : NULL;
    }

    for (snapshot = 0; snapshot < snapshots; snapshot++) {
        const uint8_t *bitmap = bitmaps + snapshot * bytes;
        const uint8_t *log = bitmaps + (snapshot + 1) % snapshots * bytes;

        operation_prepare(&work, bitmap, log, set_bits(bitmap, bytes), map.pages);
        stopwatch_fill(&map, bitmap);
        for (call = 0; call < calls; call++) {
            operation_restore(&operation, &map, &work, strcmp(variant->map, "counted bitmap") == 0);
            operation_begin(&callee, &map, &work);
            if (!rehearsed) {
                total += dirtyscan_measured(&operation, callee.function, &map, &work);
            }
            operation_end(&callee, &map, &work);
        }
    }
    printf("%llu\n", (unsigned long long)total);
    return 0;
}
