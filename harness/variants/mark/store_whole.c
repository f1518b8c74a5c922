/*
 * An atomic or for the first and the last word, and plain stores of the words between.
 *
 * Source of the idea: a word all of whose bits are set needs nothing of what it held before, so it
 * can be stored rather than changed; bits that other threads set meanwhile are set anyway, and
 * those that they take are taken.
 * Cost: one or two atomic read-modify-writes, and one store for every 64 pages between.
 */
#include "dirtyscan.h"

static void mark(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
{
    const uint64_t last = first + pages - 1;
    uint64_t *word = map->words + first / 64, *end = map->words + last / 64;
    uint64_t head = ~UINT64_C(0) << first % 64, tail = ~UINT64_C(0) >> (63 - last % 64);

    if (word == end) {
        __atomic_fetch_or(word, head & tail, __ATOMIC_SEQ_CST);
        return;
    }
    __atomic_fetch_or(word, head, __ATOMIC_SEQ_CST);
    while (++word < end) {
        __atomic_store_n(word, ~UINT64_C(0), __ATOMIC_RELAXED);
    }
    __atomic_fetch_or(end, tail, __ATOMIC_SEQ_CST);
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "mark",
    .map = "bitmap",
    .summary = "atomic ors at the ends, plain stores between",
    .run.mark = mark,
};
