/*
 * A word at a time: new bits are those of the log that the map has not; they are counted and set.
 *
 * Source of the idea: QEMU's merge of 2014, which goes on at once where the log's word is 0. But
 * this one leaves the log as it is, and always has the instruction that counts bits: take_word.c
 * and exchange_word.c stand for QEMU's.
 * Cost: one load and compare for every 64 pages that the log says nothing of; a population count,
 * an or and a store for the others.
 */
#include "dirtyscan.h"

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("popcnt")))
#else
#define HARDWARE
#endif

HARDWARE
static uint64_t merge(struct dirtyscan_map *map, const uint64_t *log)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    uint64_t index, new_pages = 0;

    for (index = 0; index < words; index++) {
        if (log[index]) {
            new_pages += (uint64_t)__builtin_popcountll(log[index] & ~map->words[index]);
            map->words[index] |= log[index];
        }
    }
    return new_pages;
}

#if defined(__x86_64__)
#define NEEDS "popcnt"
#else
#define NEEDS NULL
#endif

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2014,
    .operation = "merge",
    .map = "bitmap",
    .summary = "QEMU since 2014: new bits of each word counted and set",
    .requires = NEEDS,
    .run.merge = merge,
};
