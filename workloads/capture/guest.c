/*
 * The init of a captured guest: mounts what it needs, loads the modules it is given, and runs one
 * workload until the machine is gone. It is linked statically and is the only program in there.
 *
 * The kernel passes it what to do on its command line:
 *   dirtyscan.workload=region|read|copy|command
 *   dirtyscan.bytes=N        of the region, or of the disks
 *   dirtyscan.stride=N       pages from one written page to the next
 *   dirtyscan.period=N       ms from one pass over the region to the next
 *
 * On the serial console it says "dirtyscan: READY" when the migration may begin, and
 * "dirtyscan: FAILED: why" when something is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ull
#define BLOCK (128 * 1024)

static void say(const char *text)
{
    char line[256];
    int length = snprintf(line, sizeof(line), "dirtyscan: %s\n", text);

    if (write(1, line, (size_t)length) < 0) {
        pause();
    }
}

static _Noreturn void fail(const char *what)
{
    char line[200];

    snprintf(line, sizeof(line), "FAILED: %s: %s", what, strerror(errno));
    say(line);
    for (;;) {
        pause();
    }
}

static uint64_t option(const char *cmdline, const char *name)
{
    const char *found = strstr(cmdline, name);

    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static uint64_t now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

static void sleep_until(uint64_t when_us)
{
    struct timespec time = {(time_t)(when_us / 1000000u), (long)(when_us % 1000000u) * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
    }
}

/* Modules are named so that their order is that of their dependencies. */
static void load_modules(void)
{
    char path[64];
    int number, file;

    for (number = 0;; number++) {
        snprintf(path, sizeof(path), "/modules/%02d.ko", number);
        file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            return;
        }
        if (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST) {
            fail(path);
        }
        close(file);
    }
}

static int open_disk(const char *path, int flags)
{
    int tries, file = -1;

    /* The driver finds its disks a moment after it was loaded. */
    for (tries = 0; tries < 100 && file < 0; tries++) {
        file = open(path, flags | O_CLOEXEC);
        if (file < 0) {
            usleep(20000);
        }
    }
    if (file < 0) {
        fail(path);
    }
    return file;
}

/*
 * Cond1 and Cond2: write every stride-th page of a region, wait for the next period, start again.
 * All of the region is filled once with numbers that differ from each other. After that a pass
 * changes one word in each page that it writes, which is enough to make it dirty.
 */
static void write_region(uint64_t bytes, uint64_t stride, uint64_t period_us)
{
    uint64_t words = bytes / sizeof(uint64_t), page_words = PAGE / sizeof(uint64_t), word, pass;
    volatile uint64_t *region;
    uint64_t start;

    /* Of no bytes it fails and says so. NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions) */
    region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) {
        fail("mmap of the region");
    }
    for (word = 0; word < words; word++) {
        region[word] = word;
    }
    say("READY");
    start = now_us();
    for (pass = 1;; pass++) {
        for (word = 0; word < words; word += stride * page_words) {
            region[word] += words;
        }
        sleep_until(start + pass * period_us);
    }
}

/* Cond3 and Cond4: read a disk from end to end through the page cache, and copy it to another. */
static void read_disk(int copy)
{
    static char block[BLOCK];
    int from = open_disk("/dev/vda", O_RDONLY);
    int to = copy ? open_disk("/dev/vdb", O_WRONLY) : -1;
    ssize_t length;

    say("READY");
    while ((length = read(from, block, sizeof(block))) > 0) {
        if (copy && write(to, block, (size_t)length) != length) {
            fail("writing the copy");
        }
    }
    if (length < 0) {
        fail("reading the disk");
    }
    say("DONE");
}

/* A user's own static program. It may say READY itself on its standard output; it need not. */
static void run_command(void)
{
    char *arguments[] = {"/command", NULL};
    int status;
    pid_t child = fork();

    if (child == 0) {
        execv(arguments[0], arguments);
        fail("starting the command");
    }
    say("READY");
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("running the command");
    }
    say("DONE");
}

int main(void)
{
    static char cmdline[4096];
    int file;
    ssize_t length;

    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    file = open("/dev/console", O_RDWR);
    if (file >= 0) {
        dup2(file, 0);
        dup2(file, 1);
        dup2(file, 2);
    }
    file = open("/proc/cmdline", O_RDONLY);
    length = file < 0 ? -1 : read(file, cmdline, sizeof(cmdline) - 1);
    if (length < 0) {
        fail("/proc/cmdline");
    }
    cmdline[length] = 0;
    load_modules();
    if (strstr(cmdline, "dirtyscan.workload=region")) {
        write_region(option(cmdline, "dirtyscan.bytes="), option(cmdline, "dirtyscan.stride="),
                     option(cmdline, "dirtyscan.period=") * 1000u);
    } else if (strstr(cmdline, "dirtyscan.workload=read")) {
        read_disk(0);
    } else if (strstr(cmdline, "dirtyscan.workload=copy")) {
        read_disk(1);
    } else if (strstr(cmdline, "dirtyscan.workload=command")) {
        run_command();
    } else {
        errno = EINVAL;
        fail("no workload on the command line");
    }
    for (;;) {
        pause();
    }
}
