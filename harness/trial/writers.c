/*
 * Concurrent writers: whether an operation that must be atomic loses or invents a dirty page.
 *
 * Every page is marked once in all, while bits are taken out of the map again and again; at the end
 * each page must have been taken once. Between a load and a store that are not atomic, another
 * thread's bit gets lost, and a page is missing.
 *
 * Where the variant keeps the pages in storage of its own, what goes on beside it is its type's part
 * too. A type that marks and has no drain is read back when all are marked.
 */
#include <pthread.h>
#include <string.h>

#include "dirtyscan.h"

#define WRITERS 2
#define LONGEST 200 /* pages of a mark */

/* What takes part: functions of the variant on trial; NULL where the trial does it itself. */
struct writers_parts {
    dirtyscan_drain *drain;
    dirtyscan_drain_giving *drain_giving;
    dirtyscan_mark *mark;
    dirtyscan_prepare *prepare;
    dirtyscan_finish *finish;
};

struct writer {
    struct dirtyscan_map *map;
    dirtyscan_mark *mark;
    uint64_t number;
    int *go;
    int *running;
};

/* What was found; `page` is the first page concerned. */
struct writers_finding {
    uint64_t lost;
    uint64_t invented;
    uint64_t page;
};

static void set_bits(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
{
    for (; pages--; first++) {
        __atomic_fetch_or(&map->words[first / 64], UINT64_C(1) << first % 64, __ATOMIC_SEQ_CST);
    }
}

/* Marks every range whose place is this writer's; neighbours in a word are another's. */
static void *write_all(void *argument)
{
    struct writer *writer = argument;
    uint64_t first = 0, place, pages;

    while (!__atomic_load_n(writer->go, __ATOMIC_ACQUIRE)) {
    }
    for (place = 0; first < writer->map->pages; place++, first += pages) {
        pages = place * 37 % LONGEST < 100 ? 1 + place % 7 : 1 + place * 37 % LONGEST;
        if (pages > writer->map->pages - first) {
            pages = writer->map->pages - first;
        }
        if (place % WRITERS == writer->number) {
            writer->mark(writer->map, first, pages);
        }
    }
    __atomic_fetch_sub(writer->running, 1, __ATOMIC_ACQ_REL);
    return NULL;
}

static void take_all(struct dirtyscan_map *map, uint64_t *taken)
{
    uint64_t word;

    for (word = 0; word < (map->pages + 63) / 64; word++) {
        taken[word] = __atomic_exchange_n(&map->words[word], 0, __ATOMIC_SEQ_CST);
    }
}

static void take(const struct writers_parts *parts, struct dirtyscan_map *map, uint64_t *taken)
{
    const uint64_t words = (map->pages + 63) / 64;
    struct dirtyscan_taken given = {.words = taken, .count = words};

    if (parts->drain) {
        parts->drain(map, taken);
    } else if (parts->drain_giving) {
        parts->drain_giving(map, &given);
        if (given.words != taken) {
            memcpy(taken, given.words,
                   (given.count < words ? given.count : words) * sizeof(*taken));
        }
        if (given.release) {
            given.release(&given);
        }
    } else {
        take_all(map, taken);
    }
}

/*
 * One round on a map of bits that are all clear. `taken` and `seen` have as many words as the map.
 * Returns 0 if threads could be started.
 */
int writers_round(struct dirtyscan_map *map, const struct writers_parts *parts, uint64_t *taken,
                  uint64_t *seen, struct writers_finding *finding)
{
    const struct dirtyscan_output output = {.taken = taken};
    const int takes = !parts->finish || parts->drain || parts->drain_giving;
    const uint64_t words = (map->pages + 63) / 64;
    int go = 0, running = WRITERS, last = 0, failed = 0, started;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    uint64_t word;

    memset(seen, 0, words * sizeof(*seen));
    map->state = parts->prepare ? parts->prepare(map, NULL) : NULL;
    for (started = 0; started < WRITERS; started++) {
        writers[started] = (struct writer){map, parts->mark ? parts->mark : set_bits,
                                           (uint64_t)started, &go, &running};
        failed = pthread_create(&threads[started], NULL, write_all, &writers[started]);
        if (failed) {
            return failed;
        }
    }
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    while (takes && !last) {
        last = __atomic_load_n(&running, __ATOMIC_ACQUIRE) == 0; /* and then once more */
        memset(taken, 0, words * sizeof(*taken));
        take(parts, map, taken);
        for (word = 0; word < words; word++) {
            const uint64_t twice = seen[word] & taken[word];

            if (twice && !finding->invented) {
                finding->page = word * 64 + (uint64_t)__builtin_ctzll(twice);
            }
            finding->invented += (uint64_t)__builtin_popcountll(twice);
            seen[word] |= taken[word];
        }
    }
    for (started = 0; started < WRITERS; started++) {
        pthread_join(threads[started], NULL);
    }
    if (parts->finish) {
        parts->finish(map->state, map, &output);
    }
    if (!takes) {
        take_all(map, seen);
    }
    for (word = 0; word < words; word++) {
        const uint64_t tail = map->pages - word * 64;
        const uint64_t all = tail < 64 ? (UINT64_C(1) << tail) - 1 : UINT64_MAX;
        const uint64_t missing = all & ~seen[word];

        if (missing && !finding->lost && !finding->invented) {
            finding->page = word * 64 + (uint64_t)__builtin_ctzll(missing);
        }
        finding->lost += (uint64_t)__builtin_popcountll(missing);
    }
    return 0;
}
