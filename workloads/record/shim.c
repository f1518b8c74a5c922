/*
 * Preloaded into a hypervisor: says which pages of its guest's memory were written since it was last
 * asked. The memory is found in the process's own mappings and write-protected with userfaultfd in
 * asynchronous mode, in which the kernel itself lets a write through and remembers the page;
 * PAGEMAP_SCAN gives what it remembers and protects it again (Linux 6.7:
 * Documentation/admin-guide/mm/pagemap.rst).
 *
 * It serves one connection, the descriptor that DIRTYSCAN_RECORD names: a request of a number and a
 * size, an answer, and after that of a scan a bitmap, one bit a page, lowest first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ull
#define REGIONS 65536

/* Headers of distributions may be older than the kernel. */
#define USER_MODE_ONLY 1
#define FEATURE_WP_HUGETLBFS_SHMEM (1ull << 12)
#define FEATURE_WP_UNPOPULATED (1ull << 13)
#define FEATURE_WP_ASYNC (1ull << 15)
#define IS_WRITTEN (1ull << 1)
#define SCAN_WP_MATCHING (1ull << 0)
#define SCAN_CHECK_WPASYNC (1ull << 1)

struct region {
    uint64_t start, end, categories;
};

struct scan_arguments {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arguments)

enum request { ATTACH = 1, READ_WRITES = 2 };
enum step {
    DONE,
    NO_MEMORY,
    TWO_MEMORIES,
    NOT_SHARED,
    USERFAULTFD,
    FEATURES,
    REGISTER,
    PAGEMAP,
    SCANNING
};

struct question {
    uint64_t request, size;
};

/* What went wrong, if anything, and with which error; then what was asked for. */
struct answer {
    int32_t step, error, descriptor, candidates;
    uint64_t nanoseconds, bytes, thread;
};

static struct {
    uint64_t start, end;
    int pagemap, descriptor;
    uint8_t *map;
} memory = {.pagemap = -1, .descriptor = -1};

static struct region regions[REGIONS];

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The descriptor of ours whose file a mapping is of: the recorder opens it to read the memory. */
static int find_descriptor(uint64_t device, uint64_t inode)
{
    struct stat file;
    int number;

    for (number = 3; number < 4096; number++) {
        if (fstat(number, &file) == 0 && file.st_ino == inode && file.st_dev == device) {
            return number;
        }
    }
    return -1;
}

/* Find the one mapping of so many bytes that can be written, is shared, and is of a file. */
static enum step find_memory(uint64_t size, struct answer *answer)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 200];
    uint64_t start, end, inode;
    unsigned int major_number, minor_number;
    char rights[5];
    int private = 0;

    if (maps == NULL) {
        answer->error = errno;
        return NO_MEMORY;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        /* The kernel wrote it. NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion) */
        if (sscanf(line, "%lx-%lx %4s %*x %x:%x %lu", &start, &end, rights, &major_number,
                   &minor_number, &inode)
                != 6
            || end - start != size || rights[1] != 'w') {
            continue;
        }
        if (rights[3] != 's' || inode == 0) {
            private = 1;
            continue;
        }
        answer->candidates++;
        memory.start = start;
        memory.end = end;
        memory.descriptor = find_descriptor(makedev(major_number, minor_number), inode);
    }
    fclose(maps);
    if (answer->candidates > 1) {
        return TWO_MEMORIES;
    }
    if (answer->candidates == 0 || memory.descriptor < 0) {
        return private ? NOT_SHARED : NO_MEMORY;
    }
    answer->descriptor = memory.descriptor;
    return DONE;
}

static enum step attach(uint64_t size, struct answer *answer)
{
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED | FEATURE_WP_HUGETLBFS_SHMEM,
    };
    struct uffdio_register wanted = {.mode = UFFDIO_REGISTER_MODE_WP};
    enum step step = find_memory(size, answer);
    int faults;

    if (step != DONE) {
        return step;
    }
    /* Nothing is handed to user space, so the restricted mode that needs no privilege will do. */
    faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
    if (faults < 0) {
        answer->error = errno;
        return USERFAULTFD;
    }
    if (ioctl(faults, UFFDIO_API, &api) != 0) {
        answer->error = errno;
        return FEATURES;
    }
    wanted.range.start = memory.start;
    wanted.range.len = size;
    if (ioctl(faults, UFFDIO_REGISTER, &wanted) != 0) {
        answer->error = errno;
        return REGISTER;
    }
    memory.map = malloc(size / PAGE / 8 + 8);
    memory.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (memory.pagemap < 0 || memory.map == NULL) {
        answer->error = errno;
        return PAGEMAP;
    }
    answer->thread = (uint64_t)gettid();
    return DONE; /* the descriptor of the faults stays open as long as the process lives */
}

static void mark(uint64_t first, uint64_t last)
{
    for (; first < last && first % 8 != 0; first++) {
        memory.map[first / 8] |= (uint8_t)(1u << first % 8);
    }
    memset(memory.map + first / 8, 0xff, (last - first) / 8);
    for (first += (last - first) / 8 * 8; first < last; first++) {
        memory.map[first / 8] |= (uint8_t)(1u << first % 8);
    }
}

static enum step read_writes(struct answer *answer)
{
    struct scan_arguments scan = {
        .size = sizeof(scan),
        .flags = SCAN_WP_MATCHING | SCAN_CHECK_WPASYNC,
        .start = memory.start,
        .end = memory.end,
        .vec = (uint64_t)(uintptr_t)regions,
        .vec_len = REGIONS,
        .category_mask = IS_WRITTEN,
        .return_mask = IS_WRITTEN,
    };
    uint64_t began = now_ns();
    long found, number;

    if (memory.pagemap < 0) {
        answer->error = EINVAL;
        return SCANNING;
    }
    answer->bytes = ((memory.end - memory.start) / PAGE + 7) / 8;
    memset(memory.map, 0, answer->bytes);
    while (scan.start < memory.end) {
        found = ioctl(memory.pagemap, SCAN, &scan);
        if (found < 0) {
            answer->error = errno;
            answer->bytes = 0;
            return SCANNING;
        }
        for (number = 0; number < found; number++) {
            mark((regions[number].start - memory.start) / PAGE,
                 (regions[number].end - memory.start) / PAGE);
        }
        scan.start = scan.walk_end;
    }
    answer->nanoseconds = now_ns() - began;
    return DONE;
}

static int send_all(int connection, const void *data, size_t size)
{
    const char *next = data;
    ssize_t written;

    while (size > 0) {
        written = write(connection, next, size);
        if (written <= 0) {
            return -1;
        }
        next += written;
        size -= (size_t)written;
    }
    return 0;
}

static void *serve(void *argument)
{
    int connection = *(int *)argument;
    struct question question;

    while (read(connection, &question, sizeof(question)) == (ssize_t)sizeof(question)) {
        struct answer answer = {.descriptor = -1};

        answer.step = (int32_t)(question.request == ATTACH ? attach(question.size, &answer)
                                                           : read_writes(&answer));
        if (send_all(connection, &answer, sizeof(answer)) != 0
            || send_all(connection, memory.map, answer.bytes) != 0) {
            break;
        }
    }
    close(connection);
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    const char *connection = getenv("DIRTYSCAN_RECORD");
    static int number;
    pthread_t thread;
    sigset_t all, before;

    if (connection == NULL) {
        return;
    }
    /* What the hypervisor starts is not recorded. */
    number = (int)strtol(connection, NULL, 10);
    unsetenv("LD_PRELOAD");
    unsetenv("DIRTYSCAN_RECORD");
    fcntl(number, F_SETFD, FD_CLOEXEC);
    /* The hypervisor's signals are its own: one would break off what this thread reads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, serve, &number) == 0) {
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
