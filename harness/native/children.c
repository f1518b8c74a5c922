/*
 * Processes that a variant starts while it is timed: they must not measure as well, and the variant
 * is to be named.
 *
 * No system call may come between two timed calls for that: on some CPUs one changes what a loop of
 * branches costs for as long as a third of a millisecond (docs/statistics.md).
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "operations.h"

#define WHICH_IS_NOT_KNOWN UINT64_MAX
#define LONGEST_WAIT 200 /* ms, for such a process to come back from the call */

/* A page that is not zero in this process and is in one that it has started. */
static volatile uint8_t *mine;

__attribute__((constructor)) static void make_mine(void)
{
    const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0) {
        mine = page;
        *mine = 1;
    }
}

void stopwatch_end_if_started(struct stopwatch_place *place, uint64_t lane, uint64_t snapshot)
{
    if (place->process && (mine ? !*mine : (uint64_t)getpid() != place->process)) {
        if (!place->forked) {
            place->forked_on = snapshot;
            place->forked = lane + 1;
        }
        _exit(0);
    }
}

void stopwatch_look_for_children(struct stopwatch_place *place)
{
    const struct timespec moment = {0, 1000000};
    siginfo_t ended;
    int waited;

    if (!place->process || waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) {
        return;
    }
    for (waited = 0; waited < LONGEST_WAIT && !place->forked; waited++) {
        nanosleep(&moment, NULL);
    }
    if (!place->forked) {
        place->forked_on = place->snapshot;
        place->forked = WHICH_IS_NOT_KNOWN;
    }
}
