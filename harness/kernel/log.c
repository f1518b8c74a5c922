/*
 * Trackings by a bitmap that the kernel keeps (KVM_GET_DIRTY_LOG): legacy, in which asking also
 * protects the pages again, and manual (Linux 5.2), in which that is a call of its own,
 * KVM_CLEAR_DIRTY_LOG; with pages that all count as written at first (Linux 5.7), so that the start
 * has nothing to protect.
 */
#include "guest.h"

#define CHUNK_PAGES                                                                                \
    16384ull /* 64 MiB: a small guest has several, and a multiple of 64 as asked for */

#ifndef KVM_DIRTY_LOG_INITIALLY_SET
#define KVM_DIRTY_LOG_INITIALLY_SET (1 << 1)
#endif

static int start(struct guest *guest)
{
    return guest_log_writes(guest, 1);
}

static int stop(struct guest *guest)
{
    return guest_log_writes(guest, 0);
}

static int get(struct guest *guest, uint64_t *words)
{
    const struct kvm_dirty_log log = {.slot = GUEST_SLOT, .dirty_bitmap = words};

    return ioctl(guest->vm, KVM_GET_DIRTY_LOG, &log) ? guest_fail(guest, GUEST_LOG) : 0;
}

static int enable_manual(struct guest *guest, uint64_t how)
{
    const struct kvm_enable_cap wanted = {
        .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
        .args = {how},
    };

    return ioctl(guest->vm, KVM_ENABLE_CAP, &wanted) ? guest_fail(guest, GUEST_TRACKING) : 0;
}

static int enable_clear(struct guest *guest)
{
    return enable_manual(guest, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
}

static int enable_initially_set(struct guest *guest)
{
    return enable_manual(guest, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
}

static int clear(struct guest *guest, uint64_t *words, uint64_t first, uint64_t pages)
{
    const struct kvm_clear_dirty_log log = {
        .slot = GUEST_SLOT,
        .num_pages = (uint32_t)pages,
        .first_page = first,
        .dirty_bitmap = words + first / GUEST_WORD_PAGES,
    };

    return ioctl(guest->vm, KVM_CLEAR_DIRTY_LOG, &log) ? guest_fail(guest, GUEST_LOG) : 0;
}

static int get_and_clear(struct guest *guest, uint64_t *words)
{
    return get(guest, words) || clear(guest, words, 0, guest->pages) ? -1 : 0;
}

static int get_and_clear_chunks(struct guest *guest, uint64_t *words)
{
    uint64_t first;

    if (get(guest, words)) {
        return -1;
    }
    for (first = 0; first < guest->pages; first += CHUNK_PAGES) {
        const uint64_t left = guest->pages - first;

        if (clear(guest, words, first, left < CHUNK_PAGES ? left : CHUNK_PAGES)) {
            return -1;
        }
    }
    return 0;
}

const struct tracking guest_get = {.name = "get", .start = start, .sync = get, .stop = stop};

const struct tracking guest_clear = {
    .name = "clear",
    .enable = enable_clear,
    .start = start,
    .sync = get_and_clear,
    .stop = stop,
};

const struct tracking guest_clear_chunks = {
    .name = "clear_chunks",
    .enable = enable_clear,
    .start = start,
    .sync = get_and_clear_chunks,
    .stop = stop,
};

const struct tracking guest_initially_set = {
    .name = "initially_set",
    .enable = enable_initially_set,
    .start = start,
    .sync = get_and_clear,
    .stop = stop,
};
