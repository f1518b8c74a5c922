/*
 * A neutral stretch: work that leaves the machine in the same state whatever ran before it.
 *
 * A migration counts every 100 ms, and in between the CPU does something else. In a benchmark what
 * runs in between is the other variants; the fewer they are, the more of a variant is still in the
 * caches when it is called again. So before each timed call come more code than a first-level cache
 * holds, branches among it, and as much data as the second-level caches of many servers hold. What
 * it does is always the same: branches that nothing can predict were tried, and made times depend
 * more on what else was in a run. docs/statistics.md says what each changes and costs.
 */
#include <string.h>

#include "branches.h"
#include "operations.h"

#define DATA_BYTES (512 * 1024)
#define LINE 64

/* An analyzer would go through all ways that there are through these branches. */
#ifdef __clang_analyzer__
#define STEPS_4 sum = state;
#else
/* Four branches on bits of a xorshift generator (Marsaglia, "Xorshift RNGs", 2003). */
#define STEP                                                                                       \
    state ^= state << 13;                                                                          \
    state ^= state >> 7;                                                                           \
    state ^= state << 17;                                                                          \
    BRANCH(state, 0, state)                                                                        \
    BRANCH(state, 1, __COUNTER__) BRANCH(state, 2, state >> 3) BRANCH(state, 3, 3)
#define STEPS_4 STEP STEP STEP STEP
#endif

/*
 * Functions of 8 steps, 40 KB in all, as one of that length would take a compiler half a minute.
 * The counter makes each another one, so that they are not taken for the same.
 */
#define BLOCK(name)                                                                                \
    __attribute__((noinline)) static uint64_t block_##name(uint64_t state)                         \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
                                                                                                   \
        STEPS_4 STEPS_4 return state + sum;                                                        \
    }
#define CALL(name) state = block_##name(state);

ALL(BLOCK)

static uint8_t data[DATA_BYTES];

/* Memory that was never written is one page of zeros, over and over. */
__attribute__((constructor)) static void make_data(void)
{
    memset(data, 1, DATA_BYTES);
}

void stopwatch_neutral(void)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    const volatile uint8_t *byte = data;
    uint64_t place;

    for (place = 0; place < DATA_BYTES; place += LINE) {
        (void)byte[place];
    }
    ALL(CALL)
    __asm__ volatile("" : : "r"(state));
}
