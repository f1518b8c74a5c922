/*
 * Guests of several sizes in every tracking that is named, under sanitizers: each writes maps, is
 * asked for them, and is let go of. Ends with the number of maps that came out wrong.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 0x9e3779b97f4a7c15ull

static int try_map(struct guest *guest, uint64_t *words, uint64_t *found, uint64_t seed)
{
    const uint64_t count = guest_words(guest->pages), behind = guest->pages % GUEST_WORD_PAGES;
    uint64_t word;

    for (word = 0; word < count; word++) {
        words[word] = (word + 1) * SEED * seed;
    }
    if (behind) {
        words[count - 1] &= (1ull << behind) - 1;
    }
    if (guest_write(guest, words) == GUEST_FAILED || guest_sync(guest, found) == GUEST_FAILED) {
        return 1;
    }
    return memcmp(words, found, count * sizeof(*words)) != 0;
}

static int try_guest(const char *name, uint64_t pages)
{
    struct guest_failure failure = {0};
    uint8_t *memory = guest_memory(pages);
    struct guest *guest = memory ? guest_make(name, memory, pages, &failure) : NULL;
    uint64_t *words = calloc(2 * guest_words(pages), sizeof(*words));
    uint64_t seed;
    int wrong = guest == NULL || words == NULL;

    if (!wrong) {
        wrong += guest_start(guest) == GUEST_FAILED;
        wrong += guest_sync(guest, words) == GUEST_FAILED;
        for (seed = 0; seed < 4; seed++) {
            wrong += try_map(guest, words, words + guest_words(pages), seed);
        }
        wrong += guest_stop(guest) == GUEST_FAILED;
    }
    if (guest) {
        guest_end(guest);
    }
    free(words);
    if (wrong) {
        printf("%s, %llu pages: %d wrong\n", name, (unsigned long long)pages, wrong);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    const uint64_t sizes[] = {1, 63, 64, 65, 1000, 140000};
    struct guest_failure failure = {0};
    int tracking, wrong = 0;
    uint64_t size;

    wrong += guest_make("no such tracking", NULL, 1, &failure) != NULL;
    for (tracking = 1; tracking < argc; tracking++) {
        for (size = 0; size < sizeof(sizes) / sizeof(*sizes); size++) {
            wrong += try_guest(argv[tracking], sizes[size]);
        }
    }
    return wrong;
}
