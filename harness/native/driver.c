/*
 * The driver: calls a variant on snapshots in a program of its own, for tools that look at programs
 * (valgrind, perf).
 *
 *     driver STOPWATCH VARIANT BITMAPS PAGES PAGE_SIZE SNAPSHOTS CALLS
 *
 * BITMAPS is a file of bitmaps, one behind the other. Builds each snapshot's map with the
 * stopwatch's library, calls the variant CALLS times, and prints the sum of the counts.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirtyscan.h"

typedef void stopwatch_fill(struct dirtyscan_map *map, const uint8_t *bitmap);

static void *find(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW), *found = handle ? dlsym(handle, name) : NULL;

    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return found;
}

/* The tools count what happens in this function and in what it calls. */
__attribute__((noinline))
uint64_t dirtyscan_measured(dirtyscan_count *count, const struct dirtyscan_map *map, uint64_t calls)
{
    uint64_t total = 0;

    while (calls--) {
        total += count(map);
    }
    return total;
}

static uint64_t set_bits(const uint8_t *bitmap, uint64_t bytes)
{
    uint64_t byte, dirty = 0;

    for (byte = 0; byte < bytes; byte++) {
        dirty += (uint64_t)__builtin_popcount(bitmap[byte]);
    }
    return dirty;
}

int main(int argc, char **argv)
{
    const struct dirtyscan_variant *variant;
    stopwatch_fill *fill;
    struct dirtyscan_map map = {0};
    uint64_t bitmap_bytes, snapshots, calls, total = 0, words;
    uint8_t *bitmap;
    FILE *bitmaps;

    if (argc != 8 || (bitmaps = fopen(argv[3], "rb")) == NULL) {
        return 2;
    }
    fill = (stopwatch_fill *)find(argv[1], "stopwatch_fill");
    variant = find(argv[2], "dirtyscan_variant");
    map.pages = strtoull(argv[4], NULL, 10);
    map.page_size = strtoull(argv[5], NULL, 10);
    snapshots = strtoull(argv[6], NULL, 10);
    calls = strtoull(argv[7], NULL, 10);
    bitmap_bytes = (map.pages + 7) / 8;
    words = (map.pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    bitmap = malloc(bitmap_bytes);
    if (strcmp(variant->map, "byte map") == 0) {
        map.bytes = aligned_alloc(4096, (map.pages + 4095) / 4096 * 4096);
    } else {
        map.words = aligned_alloc(4096, (words * 8 + 4095) / 4096 * 4096);
    }
    if (strcmp(variant->map, "two-level bitmap") == 0) {
        map.summary = aligned_alloc(4096, (words * 8 + 4095) / 4096 * 4096);
    }
    for (; snapshots--; ) {
        if (fread(bitmap, 1, bitmap_bytes, bitmaps) != bitmap_bytes) {
            return 2;
        }
        fill(&map, bitmap);
        map.dirty = strcmp(variant->map, "counted bitmap") ? 0 : set_bits(bitmap, bitmap_bytes);
        total += dirtyscan_measured(variant->run.count, &map, calls);
    }
    printf("%llu\n", (unsigned long long)total);
    return 0;
}
