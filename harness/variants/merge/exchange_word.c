/*
 * A word at a time, which is taken out of the log by an atomic exchange.
 *
 * Source of the idea: QEMU's cpu_physical_memory_sync_dirty_bitmap() since 2015, as it is in 10.0,
 * where start and length of a block lie at a word: the log lies in blocks of 2 Mi pages, which are
 * found by a table. How bits are counted is the compiler's, as in take_word.c. Left out: what is
 * done once a call (the map of what the kernel is to clear later, the TLBs of an emulated CPU).
 * Cost: two loads and a compare for every 64 pages that the log says nothing of; an atomic
 * exchange, a population count, an or and a store for the others.
 */
#include "dirtyscan.h"

#define BLOCK_WORDS (UINT64_C(256) * 1024 / sizeof(uint64_t))
/* Of a guest of 64 TiB; those of larger ones are found without the table. */
#define MOST_BLOCKS (8 * 1024)

static uint64_t *block_of(uint64_t *log, uint64_t number)
{
    return log + number * BLOCK_WORDS;
}

static uint64_t merge_blocks(uint64_t *words, uint64_t *const *blocks, uint64_t count)
{
    uint64_t index, number = 0, inside = 0, new_pages = 0;

    for (index = 0; index < count; index++) {
        if (blocks[number][inside]) {
            const uint64_t bits = __atomic_exchange_n(&blocks[number][inside], 0, __ATOMIC_SEQ_CST);
            const uint64_t fresh = bits & ~words[index];

            words[index] |= bits;
            new_pages += (uint64_t)__builtin_popcountl(fresh);
        }
        if (++inside >= BLOCK_WORDS) {
            inside = 0;
            number++;
        }
    }
    return new_pages;
}

static uint64_t merge(struct dirtyscan_map *map, uint64_t *log)
{
    const uint64_t words = (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
    const uint64_t most = MOST_BLOCKS * BLOCK_WORDS;
    uint64_t done, new_pages = 0;

    for (done = 0; done < words; done += most) {
        uint64_t *blocks[MOST_BLOCKS];
        const uint64_t here = words - done < most ? words - done : most;
        uint64_t number;

        for (number = 0; number * BLOCK_WORDS < here; number++) {
            blocks[number] = block_of(log + done, number);
        }
        new_pages += merge_blocks(map->words + done, blocks, here);
    }
    return new_pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2015,
    .operation = "merge",
    .map = "bitmap",
    .summary = "QEMU since 2015: each word taken by an atomic exchange, new bits counted and set",
    .form = DIRTYSCAN_TAKES,
    .run.merge_taking = merge,
};
