/*
 * Tracking by the dirty ring of a vCPU (Linux 5.11): the kernel appends each page that is written,
 * and whoever reads the ring says how far it has come, after which these pages are protected again
 * (KVM_RESET_DIRTY_RINGS). A ring that is nearly full stops the vCPU.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef KVM_CAP_DIRTY_LOG_RING_ACQ_REL
#define KVM_CAP_DIRTY_LOG_RING_ACQ_REL 223 /* Linux 6.1 */
#endif

static uint64_t ring_bytes(const struct guest *guest)
{
    return guest->ring_entries * sizeof(struct kvm_dirty_gfn);
}

/* Takes the one with ordered reads and writes, which is how the ring is read below, where it is. */
static int enable(struct guest *guest)
{
    struct kvm_enable_cap wanted = {.cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL};
    int most = ioctl(guest->kvm, KVM_CHECK_EXTENSION, wanted.cap);

    if (most <= 0) {
        wanted.cap = KVM_CAP_DIRTY_LOG_RING;
        most = ioctl(guest->kvm, KVM_CHECK_EXTENSION, wanted.cap);
    }
    if (most <= 0) {
        errno = ENOTSUP;
        return guest_fail(guest, GUEST_TRACKING);
    }
    wanted.args[0] = (uint64_t)most; /* bytes; as long as can be had */
    guest->ring_entries = (uint32_t)most / sizeof(struct kvm_dirty_gfn);
    return ioctl(guest->vm, KVM_ENABLE_CAP, &wanted) ? guest_fail(guest, GUEST_TRACKING) : 0;
}

static int start(struct guest *guest)
{
    if (guest->ring == NULL) {
        void *ring = mmap(NULL, ring_bytes(guest), PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu,
                          KVM_DIRTY_LOG_PAGE_OFFSET * (long)GUEST_PAGE);

        if (ring == MAP_FAILED) {
            return guest_fail(guest, GUEST_TRACKING);
        }
        guest->ring = ring;
    }
    return guest_log_writes(guest, 1);
}

static int stop(struct guest *guest)
{
    return guest_log_writes(guest, 0);
}

static int harvest(struct guest *guest, uint64_t *words)
{
    for (;; guest->ring_next++) {
        struct kvm_dirty_gfn *entry = guest->ring + guest->ring_next % guest->ring_entries;

        if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY)) {
            break;
        }
        if (entry->slot == GUEST_SLOT) {
            words[entry->offset / GUEST_WORD_PAGES] |= 1ull << entry->offset % GUEST_WORD_PAGES;
        }
        __atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
    }
    return ioctl(guest->vm, KVM_RESET_DIRTY_RINGS, 0) < 0 ? guest_fail(guest, GUEST_LOG) : 0;
}

static int full(struct guest *guest)
{
    const uint64_t began = guest_now();
    const int failed = harvest(guest, guest->pending);

    guest->pending_ns += guest_now() - began;
    return failed;
}

static int sync_ring(struct guest *guest, uint64_t *words)
{
    const uint64_t bytes = guest_words(guest->pages) * sizeof(*words);

    memcpy(words, guest->pending, bytes);
    memset(guest->pending, 0, bytes);
    return harvest(guest, words);
}

static void end(struct guest *guest)
{
    if (guest->ring) {
        munmap(guest->ring, ring_bytes(guest));
    }
}

const struct tracking guest_ring = {
    .name = "ring",
    .enable = enable,
    .start = start,
    .sync = sync_ring,
    .stop = stop,
    .full = full,
    .end = end,
};
