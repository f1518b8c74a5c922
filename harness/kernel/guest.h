/*
 * A guest of our own on KVM, and the ways in which the kernel says what it has written.
 *
 * Its code is the list of the pages that it is to write, one instruction a page, so no kernel image
 * and no QEMU is needed, and it writes these pages and no others. A tracking is a way of asking for
 * them: its start, a sync (from the kernel to a bitmap), and its end.
 *
 * guest_memory(), guest_make(), and then guest_write(), guest_start(), guest_sync() and guest_stop()
 * in any sensible order, each of which returns nanoseconds, or GUEST_FAILED with `failure` filled in.
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <time.h>

#define GUEST_PAGE 4096ull
#define GUEST_WORD_PAGES 64
#define GUEST_SLOT 0 /* of guest memory; that of its code and page tables is the next */
#define GUEST_FAILED UINT64_MAX

/* Of its code: an instruction that writes to a page, and what stands before and behind all of them. */
#define GUEST_STORE_BYTES 9
#define GUEST_FRAME_BYTES 3

/* At what a guest has failed; guest.py has the words. */
enum guest_step {
    GUEST_DONE,
    GUEST_KVM,
    GUEST_VM,
    GUEST_MEMORY,
    GUEST_VCPU,
    GUEST_STATE,
    GUEST_TRACKING,
    GUEST_RUN,
    GUEST_EXIT,
    GUEST_LOG,
    GUEST_FAULTS
};

struct guest_failure {
    int32_t step;
    int32_t error; /* errno, or 0 */
    uint32_t exit; /* KVM_EXIT_* */
    uint32_t detail;
};

struct guest;

/* A way of asking the kernel; each function returns 0, or -1 with the guest's failure filled in. */
struct tracking {
    const char *name;
    int in_process; /* no KVM: memory that this process itself writes */
    int (*enable)(struct guest *guest); /* before there is a vCPU; NULL for nothing to do */
    int (*start)(struct guest *guest);
    int (*sync)(struct guest *guest, uint64_t *words);
    int (*stop)(struct guest *guest);
    int (*full)(struct guest *guest); /* when the kernel has no room left to note what is written */
    void (*end)(struct guest *guest);
};

struct guest {
    const struct tracking *tracking;
    uint64_t pages;
    uint8_t *memory; /* from guest_memory(); several guests may share it */
    int kvm, vm, vcpu;
    struct kvm_run *run;
    uint64_t run_bytes;
    uint8_t *side; /* its page tables and behind them its code, as this process sees them */
    uint64_t side_bytes;
    uint64_t side_start; /* the same as the guest sees it, a physical address */
    uint64_t code; /* where its code begins in there */
    /* What a tracking keeps. */
    uint64_t *pending; /* taken out of a full ring before anybody has asked; a bitmap */
    uint64_t pending_ns;
    struct kvm_dirty_gfn *ring;
    uint32_t ring_entries, ring_next;
    int faults, pagemap;
    struct page_region *regions;
    struct guest_failure failure;
};

extern const struct tracking guest_get, guest_clear, guest_clear_chunks, guest_initially_set;
extern const struct tracking guest_ring, guest_scan;

/* Returns memory for guests of `pages` pages, of which none is there yet, or NULL. */
uint8_t *guest_memory(uint64_t pages);

/* Returns a guest that is tracked by the tracking of that name, or NULL. */
struct guest *guest_make(const char *name, uint8_t *memory, uint64_t pages,
                         struct guest_failure *failure);
void guest_end(struct guest *guest);

/* Lets the guest write a byte of every page of a bitmap; the time is its own,
 * to the last write, without what the scheduler has given to others. */
uint64_t guest_write(struct guest *guest, const uint64_t *words);

uint64_t guest_start(struct guest *guest);
uint64_t guest_stop(struct guest *guest);

/* Makes `words` what was written since the last sync, or since the start. */
uint64_t guest_sync(struct guest *guest, uint64_t *words);

/* Why the last of these has failed. */
const struct guest_failure *guest_failure_of(const struct guest *guest);

/* machine.c: makes its virtual machine, with memory and a vCPU; and lets go of it. */
int guest_make_machine(struct guest *guest);
void guest_end_machine(struct guest *guest);

/* Notes at what it has failed, with errno, and returns -1. */
int guest_fail(struct guest *guest, enum guest_step step);

/* Sets whether the kernel is to note what the guest writes. */
int guest_log_writes(struct guest *guest, int on);

static inline uint64_t guest_words(uint64_t pages)
{
    return (pages + GUEST_WORD_PAGES - 1) / GUEST_WORD_PAGES;
}

static inline uint64_t guest_clock(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t guest_now(void)
{
    return guest_clock(CLOCK_MONOTONIC);
}

/*
 * The time that this thread had the CPU. A guest runs for longer than a scheduler lets anybody run
 * at once on a busy machine, so what others took in between would be in every one of its times.
 */
static inline uint64_t guest_own_time(void)
{
    return guest_clock(CLOCK_THREAD_CPUTIME_ID);
}

#endif
