/*
 * The bit of each page in turn, under a lock that is taken for each of them.
 *
 * Source of the idea: the loop of QEMU's ram_save_host_page() over the pages of a large page of the
 * host until commit ba1b7c812c (2021), which asked migration_bitmap_clear_dirty() of each. That
 * code was not at hand. Left out: that the bit is cleared, which this operation must not, and the
 * test of what the kernel is still to clear; so this is faster than that was.
 * Cost: a lock, load, test and unlock for every page.
 */
#include <pthread.h>

#include "dirtyscan.h"

static pthread_mutex_t bitmap_mutex = PTHREAD_MUTEX_INITIALIZER;

static int is_dirty(const struct dirtyscan_map *map, uint64_t page)
{
    uint64_t word;

    pthread_mutex_lock(&bitmap_mutex);
    word = map->words[page / DIRTYSCAN_WORD_PAGES];
    pthread_mutex_unlock(&bitmap_mutex);
    return (int)(word >> page % DIRTYSCAN_WORD_PAGES & 1);
}

static uint64_t next_dirty(const struct dirtyscan_map *map, uint64_t from)
{
    while (from < map->pages && !is_dirty(map, from)) {
        from++;
    }
    return from;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2018,
    .operation = "next",
    .map = "bitmap",
    .summary = "QEMU until 2021 inside a large page: each page's bit, under a lock",
    .run.next = next_dirty,
};
