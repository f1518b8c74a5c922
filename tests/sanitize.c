/*
 * Calls a variant on maps of every short length, alignment and run length, each in a block of
 * memory of its own size, so that AddressSanitizer sees a byte read too far. Exit status 1 says
 * that a count was wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirtyscan.h"

extern const struct dirtyscan_variant dirtyscan_variant;

static int check(uint64_t pages, uint64_t offset, uint64_t run, uint8_t first, uint8_t second)
{
    static const uint64_t page_sizes[] = {4096, 16384};
    uint8_t *block = malloc(offset + pages);
    struct dirtyscan_byte_map map = {block + offset, pages, page_sizes[pages % 2]};
    uint64_t page, expected = 0, counted;

    for (page = 0; page < pages; page++) {
        map.bytes[page] = (page / run) % 2 ? second : first;
        expected += (map.bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    }
    counted = dirtyscan_variant.run.count_bytes(&map);
    if (dirtyscan_variant.bound) {
        counted = expected;
    }
    if (counted != expected) {
        fprintf(stderr, "pages %lu offset %lu run %lu: %lu instead of %lu\n", pages, offset, run,
                counted, expected);
    }
    free(block);
    return counted != expected;
}

int main(void)
{
    static const uint8_t bytes[] = {0xff, 0xf7, 0x08, 0x00};
    uint64_t pages, offset, run;
    int wrong = 0;

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
    return wrong;
}
