/*
 * Other work: what makes a branch predictor forget the last snapshot, as 100 ms of a hypervisor's
 * and its guest's own code do between two counts.
 *
 * A predictor gives an entry up for one that has been of use, so branches that nothing can predict
 * displace little, however many they are, and neither do more branches than it can tell apart. What
 * displaces is what can be learned: random programs that are run again at once. Each is a row of
 * steps of eight branches; some are half taken, and some are taken so seldom that only a long
 * history tells when, as most branches of real code are. Many functions run them, as a predictor
 * also goes by where a branch lies. The programs are others each time, and drawn several times over:
 * of once a predictor keeps enough that it matters how many other calls a snapshot has.
 *
 * docs/statistics.md says what this changes, against an interpreter's work in its place.
 */
#include "branches.h"
#include "operations.h"

/* An analyzer would go through all ways that there are through these branches. */
#ifdef __clang_analyzer__
#define STEP sum += step;
#else
#define STEP                                                                                       \
    BRANCH(step, 0, 3)                                                                             \
    BRANCH(step, 1, 4)                                                                             \
    BRANCH(step, 2, 5)                                                                             \
    BRANCH(step, 3, 6) BRANCH(step, 4, 7) BRANCH(step, 5, 8) BRANCH(step, 6, 9) BRANCH(step, 7, 10)
#endif
/* The counter makes each another one, so that they are not taken for the same. */
#define FUNCTION(name)                                                                             \
    __attribute__((noinline)) static uint64_t run_##name(uint64_t sum, const uint8_t *program,     \
                                                         uint64_t steps)                           \
    {                                                                                              \
        while (steps--) {                                                                          \
            const uint8_t step = *program++;                                                       \
                                                                                                   \
            STEP sum ^= __COUNTER__;                                                               \
        }                                                                                          \
        return sum;                                                                                \
    }
#define NAME(name) run_##name,

ALL(FUNCTION)

static uint64_t (*const functions[])(uint64_t, const uint8_t *, uint64_t) = {ALL(NAME)};

#define FUNCTIONS (sizeof functions / sizeof *functions)
#define KINDS 4   /* of programs: of every 2nd, 4th, 8th and 16th branch one is taken */
#define STEPS 128 /* of the first kind, and twice as many of each that follows */
#define TIMES 2   /* that a function runs its program */
#define DRAWS 4   /* of all programs */

static uint8_t programs[KINDS][(STEPS << (KINDS - 1)) + FUNCTIONS / KINDS];

/* Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t draw(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void draw_programs(void)
{
    uint64_t kind, step, more;

    for (kind = 0; kind < KINDS; kind++) {
        for (step = 0; step < (STEPS << kind) + FUNCTIONS / KINDS; step++) {
            uint64_t bits = draw();

            for (more = 0; more < kind; more++) {
                bits &= draw();
            }
            programs[kind][step] = (uint8_t)(bits >> 32);
        }
    }
}

static uint64_t run_programs(uint64_t sum)
{
    uint64_t function, time;

    for (function = 0; function < FUNCTIONS; function++) {
        const uint64_t kind = function % KINDS;

        for (time = 0; time < TIMES; time++) {
            /* From another step on than others of its kind, so with a program of its own. */
            sum = functions[function](sum, programs[kind] + function / KINDS,
                                      (uint64_t)STEPS << kind);
        }
    }
    return sum;
}

void stopwatch_other_work(void)
{
    uint64_t sum = 0, turn;

    for (turn = 0; turn < DRAWS; turn++) {
        draw_programs();
        sum = run_programs(sum);
    }
    __asm__ volatile("" : : "r"(sum));
}
