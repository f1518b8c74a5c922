/* What the ticks of bitmaps share: counting a word, and taking pages out one by one. */
#ifndef DIRTYSCAN_TICKING_H
#define DIRTYSCAN_TICKING_H

#include "finding.h"

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("popcnt")))
#define HARDWARE_NEEDS "popcnt"
#else
#define HARDWARE
#define HARDWARE_NEEDS NULL
#endif

static inline uint64_t words_of(const struct dirtyscan_map *map)
{
    return (map->pages + DIRTYSCAN_WORD_PAGES - 1) / DIRTYSCAN_WORD_PAGES;
}

static inline void clear_bit(uint64_t *words, uint64_t page)
{
    words[page / DIRTYSCAN_WORD_PAGES] &= ~(UINT64_C(1) << page % DIRTYSCAN_WORD_PAGES);
}

/* Takes up to `sent` pages out, lowest first, and returns how many there were. */
static inline uint64_t send_pages(struct dirtyscan_map *map, uint64_t sent)
{
    uint64_t page = 0, done = 0;

    for (; done < sent; done++, page++) {
        page = find_set_bit(map->words, map->pages, page);
        if (page >= map->pages) {
            break;
        }
        clear_bit(map->words, page);
    }
    return done;
}

#endif
