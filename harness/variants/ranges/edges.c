/*
 * Edges: a bit that differs from the one before it begins or ends a run.
 *
 * Source of the idea: word ^ (word << 1), as in Warren, "Hacker's Delight" (2002), 2-1; written for
 * this list. First pages and ends alternate, so they are written one after the other and nothing
 * asks which it is; ends become lengths in a second step.
 * Cost: one load, shift and compare for every 64 pages without an edge, and a count of zeros and a
 * store for every edge.
 */
#include "dirtyscan.h"

/* The list while it is filled: first page, end, first page, end... */
static uint64_t *add_edges(uint64_t *next, uint64_t edges, uint64_t base)
{
    for (; edges; edges &= edges - 1) {
        /* NOLINTNEXTLINE(clang-analyzer-security.ArrayBound): the list is filled as one array */
        *next++ = base + (uint64_t)__builtin_ctzll(edges);
    }
    return next;
}

static uint64_t ranges(const struct dirtyscan_map *map, struct dirtyscan_ranges *out)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t *next = &out->list->first, index, count, before = 0;

    for (index = 0; index < words; index++) {
        const uint64_t word = map->words[index];
        const uint64_t edges = word ^ (word << 1 | before);

        before = word >> 63;
        if (edges) {
            next = add_edges(next, edges, index * DIRTYSCAN_WORD_PAGES);
        }
    }
    if (before) {
        /* NOLINTNEXTLINE(clang-analyzer-security.ArrayBound): the list is filled as one array */
        *next++ = words * DIRTYSCAN_WORD_PAGES;
    }
    count = (uint64_t)(next - &out->list->first) / 2;
    for (index = 0; index < count; index++) {
        out->list[index].pages -= out->list[index].first;
    }
    return count;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2002,
    .operation = "ranges",
    .map = "bitmap",
    .summary = "edges of runs, found by a word and itself shifted",
    .run.ranges = ranges,
};
