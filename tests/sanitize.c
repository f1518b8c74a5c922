/*
 * Calls a variant on maps of every short length, alignment and run length, each array in a block of
 * memory of its own size, so that AddressSanitizer sees a byte read too far. Exit status 1 says
 * that a count was wrong. Bounds are called too, and their results are not looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirtyscan.h"

extern const struct dirtyscan_variant dirtyscan_variant;

static int is_map(const char *name)
{
    return strcmp(dirtyscan_variant.map, name) == 0;
}

static void *zeros(uint64_t bits, uint64_t bits_a_word)
{
    return calloc((bits + bits_a_word * 64 - 1) / (bits_a_word * 64), 8);
}

static int check(uint64_t pages, uint64_t offset, uint64_t run, uint8_t first, uint8_t second)
{
    static const uint64_t page_sizes[] = {4096, 16384};
    uint8_t *block = is_map("byte map") ? malloc(offset + pages) : NULL;
    uint64_t *words = block ? NULL : zeros(pages, 1);
    uint64_t *summary = is_map("two-level bitmap") ? zeros(pages, DIRTYSCAN_SUMMARY_PAGES) : NULL;
    struct dirtyscan_map map = {.bytes = block ? block + offset : NULL, .words = words,
        .summary = summary, .pages = pages, .page_size = page_sizes[pages % 2]};
    uint64_t page, expected = 0, counted;

    for (page = 0; page < pages; page++) {
        uint8_t byte = (page / run) % 2 ? second : first;
        uint64_t dirty = (byte & DIRTYSCAN_MIGRATION_FLAG) != 0;

        expected += dirty;
        if (block) {
            map.bytes[page] = byte;
        } else {
            words[page / 64] |= dirty << page % 64;
        }
        if (summary) {
            summary[page / DIRTYSCAN_SUMMARY_PAGES / 64] |=
                dirty << page / DIRTYSCAN_SUMMARY_PAGES % 64;
        }
    }
    map.dirty = is_map("counted bitmap") ? expected : 0;
    counted = dirtyscan_variant.run.count(&map);
    if (dirtyscan_variant.bound) {
        counted = expected;
    }
    if (counted != expected) {
        fprintf(stderr, "pages %lu offset %lu run %lu: %lu instead of %lu\n", pages, offset, run,
                counted, expected);
    }
    free(block);
    free(words);
    free(summary);
    return counted != expected;
}

int main(void)
{
    static const uint8_t bytes[] = {0xff, 0xf7, 0x08, 0x00};
    static const uint64_t large[] = {255, 256, 511, 512, 513, 4095, 4096, 9000, 33000, 70001};
    uint64_t pages, offset, run;
    int wrong = 0;
    size_t i;

    for (pages = 1; pages <= 70; pages++) {
        for (offset = 0; offset < 9; offset++) {
            for (run = 1; run <= 33; run += run < 9 ? 1 : 8) {
                size_t first, second;

                for (first = 0; first < sizeof(bytes); first++) {
                    for (second = 0; second < sizeof(bytes); second++) {
                        wrong |= check(pages, offset, run, bytes[first], bytes[second]);
                    }
                }
            }
        }
    }
    for (i = 0; i < sizeof(large) / sizeof(*large); i++) {
        for (run = 1; run <= large[i]; run *= 7) {
            wrong |= check(large[i], 3, run, 0xff, 0xf7);
            wrong |= check(large[i], 0, run, 0x00, 0x08);
        }
    }
    return wrong;
}
