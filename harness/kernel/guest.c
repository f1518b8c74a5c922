/*
 * The guest's code, how it is run, and what is timed.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* nop; then for each page mov %al,ADDRESS; then out %al,$PORT. The first is never skipped when KVM
 * completes the last out of the run before. */
#define NOP 0x90
#define STORE 0xa2
#define OUT 0xe6
#define PORT 0x10

/* In rflags: its right to ports, and what is always set there. */
#define PORTS_FOR_RING_3 0x3000u
#define ALWAYS_SET 0x2u

static const struct tracking *find_tracking(const char *name)
{
    static const struct tracking *const known[] = {
        &guest_get,           &guest_clear, &guest_clear_chunks,
        &guest_initially_set, &guest_ring,  &guest_scan,
    };
    uint64_t at;

    for (at = 0; at < sizeof(known) / sizeof(*known); at++) {
        if (strcmp(known[at]->name, name) == 0) {
            return known[at];
        }
    }
    return NULL;
}

struct guest *guest_make(const char *name, uint8_t *memory, uint64_t pages,
                         struct guest_failure *failure)
{
    struct guest *guest = calloc(1, sizeof(*guest));

    if (guest == NULL) {
        return NULL;
    }
    guest->tracking = find_tracking(name);
    guest->memory = memory;
    guest->pages = pages;
    guest->kvm = guest->vm = guest->vcpu = guest->faults = guest->pagemap = -1;
    guest->pending = calloc(guest_words(pages), sizeof(*guest->pending));
    if (guest->tracking == NULL || guest->pending == NULL) {
        errno = guest->tracking ? ENOMEM : EINVAL;
        guest_fail(guest, GUEST_TRACKING);
    } else if (guest->tracking->in_process || guest_make_machine(guest) == 0) {
        return guest;
    }
    *failure = guest->failure;
    guest_end(guest);
    return NULL;
}

void guest_end(struct guest *guest)
{
    if (guest->tracking && guest->tracking->end) {
        guest->tracking->end(guest);
    }
    guest_end_machine(guest);
    free(guest->pending);
    free(guest);
}

static void write_code(struct guest *guest, const uint64_t *words)
{
    uint8_t *code = guest->side + guest->code;
    uint64_t word, bits;

    *code++ = NOP;
    for (word = 0; word < guest_words(guest->pages); word++) {
        for (bits = words[word]; bits; bits &= bits - 1) {
            const uint64_t page = word * GUEST_WORD_PAGES + (uint64_t)__builtin_ctzll(bits);
            const uint64_t address = page * GUEST_PAGE;

            *code = STORE;
            memcpy(code + 1, &address, sizeof(address));
            code += GUEST_STORE_BYTES;
        }
    }
    *code++ = OUT;
    *code = PORT;
}

static int begin(struct guest *guest)
{
    const struct kvm_regs registers = {
        .rip = guest->side_start + guest->code,
        .rax = 1,
        .rflags = ALWAYS_SET | PORTS_FOR_RING_3,
    };

    return ioctl(guest->vcpu, KVM_SET_REGS, &registers) ? guest_fail(guest, GUEST_STATE) : 0;
}

/* Runs the guest to the end of its code; what a tracking does meanwhile is not its time. */
static uint64_t run(struct guest *guest)
{
    uint64_t elapsed = 0;

    for (;;) {
        const uint64_t start = guest_own_time();
        const int failed = ioctl(guest->vcpu, KVM_RUN, 0) ? guest_fail(guest, GUEST_RUN) : 0;
        const uint32_t why = guest->run->exit_reason;

        elapsed += guest_own_time() - start;
        if (failed && guest->failure.error == EINTR) {
            continue;
        }
        if (failed) {
            return GUEST_FAILED;
        }
        if (why == KVM_EXIT_IO && guest->run->io.port == PORT) {
            return elapsed;
        }
        if (why == KVM_EXIT_DIRTY_RING_FULL && guest->tracking->full) {
            if (guest->tracking->full(guest)) {
                return GUEST_FAILED;
            }
            continue;
        }
        guest->failure = (struct guest_failure){.step = GUEST_EXIT, .exit = why};
        if (why == KVM_EXIT_INTERNAL_ERROR) {
            guest->failure.detail = guest->run->internal.suberror;
        } else if (why == KVM_EXIT_FAIL_ENTRY) {
            guest->failure.detail = (uint32_t)guest->run->fail_entry.hardware_entry_failure_reason;
        }
        return GUEST_FAILED;
    }
}

/* Writes as a guest would, in this process. */
static uint64_t write_here(struct guest *guest, const uint64_t *words)
{
    const uint64_t start = guest_own_time();
    uint64_t word, bits;

    for (word = 0; word < guest_words(guest->pages); word++) {
        for (bits = words[word]; bits; bits &= bits - 1) {
            const uint64_t page = word * GUEST_WORD_PAGES + (uint64_t)__builtin_ctzll(bits);

            *(volatile uint8_t *)(guest->memory + page * GUEST_PAGE) = 1;
        }
    }
    return guest_own_time() - start;
}

uint64_t guest_write(struct guest *guest, const uint64_t *words)
{
    if (guest->tracking->in_process) {
        return write_here(guest, words);
    }
    write_code(guest, words);
    return begin(guest) ? GUEST_FAILED : run(guest);
}

const struct guest_failure *guest_failure_of(const struct guest *guest)
{
    return &guest->failure;
}

static uint64_t timed(struct guest *guest, int (*act)(struct guest *guest))
{
    const uint64_t start = guest_now();

    return act(guest) ? GUEST_FAILED : guest_now() - start;
}

uint64_t guest_start(struct guest *guest)
{
    return timed(guest, guest->tracking->start);
}

uint64_t guest_stop(struct guest *guest)
{
    return timed(guest, guest->tracking->stop);
}

uint64_t guest_sync(struct guest *guest, uint64_t *words)
{
    const uint64_t start = guest_now();
    uint64_t elapsed;

    if (guest->tracking->sync(guest, words)) {
        return GUEST_FAILED;
    }
    /* What had to be taken out of a full ring before is a part of it. */
    elapsed = guest_now() - start + guest->pending_ns;
    guest->pending_ns = 0;
    return elapsed;
}
