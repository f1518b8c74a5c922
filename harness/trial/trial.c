/*
 * The trial's own part in C: what a variant that goes astray has touched, told before it ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <ucontext.h>
#define WRITE_FAULT 2u /* bit of the page fault's error code */
#endif

/* In memory that is shared with the process that waits. */
struct trial_fault {
    uint64_t signal;
    uint64_t address;
    uint64_t write; /* 1: by a write; 0: by a read, or not known */
};

static struct trial_fault *fault;

static void tell(int signal, siginfo_t *info, void *context)
{
    fault->address = (uint64_t)(uintptr_t)info->si_addr;
#if defined(__x86_64__)
    fault->write = (((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & WRITE_FAULT) != 0;
#else
    (void)context;
#endif
    fault->signal = (uint64_t)signal;
    _exit(1);
}

/* From now on, a signal that ends the process is told to `shared`. Returns 0 if that works. */
int trial_watch(struct trial_fault *shared)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    const size_t size = 65536;
    /* A stack of its own, as a variant may have used up the other. */
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    size_t i;
    int failed = stack.ss_sp == NULL || sigaltstack(&stack, NULL);

    fault = shared;
    for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        failed |= sigaction(signals[i], &action, NULL);
    }
    return failed;
}
