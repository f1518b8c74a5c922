/*
 * Tracking of a process's own memory, without KVM: userfaultfd in asynchronous write-protect mode,
 * in which the kernel itself lets a write through and remembers the page, and PAGEMAP_SCAN, which
 * says which and protects them again (Linux 6.7: Documentation/admin-guide/mm/pagemap.rst).
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REGIONS 65536

/* Headers of distributions may be older than the kernel. */
#define USER_MODE_ONLY 1
#define FEATURE_WP_UNPOPULATED (1ull << 13)
#define FEATURE_WP_ASYNC (1ull << 15)
#define IS_WRITTEN (1ull << 1)
#define SCAN_WP_MATCHING (1ull << 0)
#define SCAN_CHECK_WPASYNC (1ull << 1)

struct page_region {
    uint64_t start, end, categories;
};

struct scan_arguments {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arguments)

static void mark(uint64_t *words, uint64_t page, uint64_t end)
{
    for (; page < end && page % GUEST_WORD_PAGES; page++) {
        words[page / GUEST_WORD_PAGES] |= 1ull << page % GUEST_WORD_PAGES;
    }
    for (; page + GUEST_WORD_PAGES <= end; page += GUEST_WORD_PAGES) {
        words[page / GUEST_WORD_PAGES] = UINT64_MAX;
    }
    for (; page < end; page++) {
        words[page / GUEST_WORD_PAGES] |= 1ull << page % GUEST_WORD_PAGES;
    }
}

static int sync_scan(struct guest *guest, uint64_t *words)
{
    const uint64_t first = (uint64_t)guest->memory, end = first + guest->pages * GUEST_PAGE;
    struct scan_arguments scan = {
        .size = sizeof(scan),
        .flags = SCAN_WP_MATCHING | SCAN_CHECK_WPASYNC,
        .end = end,
        .vec = (uint64_t)guest->regions,
        .vec_len = REGIONS,
        .category_mask = IS_WRITTEN,
        .return_mask = IS_WRITTEN,
    };

    memset(words, 0, guest_words(guest->pages) * sizeof(*words));
    for (scan.start = first; scan.start < end; scan.start = scan.walk_end) {
        const int found = ioctl(guest->pagemap, SCAN, &scan);
        int region;

        if (found < 0) {
            return guest_fail(guest, GUEST_LOG);
        }
        for (region = 0; region < found; region++) {
            const struct page_region *one = guest->regions + region;

            mark(words, (one->start - first) / GUEST_PAGE, (one->end - first) / GUEST_PAGE);
        }
    }
    return 0;
}

static int watch(struct guest *guest)
{
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED,
    };
    struct uffdio_register wanted = {
        .range = {(uint64_t)guest->memory, guest->pages * GUEST_PAGE},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };

    guest->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
    if (guest->faults < 0) {
        return guest_fail(guest, GUEST_FAULTS);
    }
    guest->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    guest->regions = malloc(REGIONS * sizeof(*guest->regions));
    if (guest->pagemap < 0 || guest->regions == NULL || ioctl(guest->faults, UFFDIO_API, &api)
        || ioctl(guest->faults, UFFDIO_REGISTER, &wanted)) {
        return guest_fail(guest, GUEST_TRACKING);
    }
    return 0;
}

/* All that is there counts as written until it is protected, which the first scan does. */
static int start(struct guest *guest)
{
    uint64_t *words = calloc(guest_words(guest->pages), sizeof(*words));
    const int failed = words == NULL || watch(guest) || sync_scan(guest, words);

    if (words == NULL) {
        errno = ENOMEM;
        guest_fail(guest, GUEST_TRACKING);
    }
    free(words);
    return failed ? -1 : 0;
}

static void end(struct guest *guest)
{
    if (guest->faults >= 0) {
        close(guest->faults);
    }
    if (guest->pagemap >= 0) {
        close(guest->pagemap);
    }
    free(guest->regions);
    guest->faults = guest->pagemap = -1;
    guest->regions = NULL;
}

/* Nothing is tracked once nobody has the descriptor. */
static int stop(struct guest *guest)
{
    end(guest);
    return 0;
}

const struct tracking guest_scan = {
    .name = "scan",
    .in_process = 1,
    .start = start,
    .sync = sync_scan,
    .stop = stop,
    .end = end,
};
