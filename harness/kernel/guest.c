/*
 * The guest: its machine, its code, and how it is run (Linux: Documentation/virt/kvm/api.rst).
 *
 * A vCPU in 64-bit mode as a program of a guest would have it (ring 3, so that a host that runs
 * guests without the CPU's help runs this code and does not interpret it). Its page tables map all
 * of its memory to the same addresses in pages of 2 MiB, with everything set in them that the CPU
 * would set, so nothing but the listed pages is written. They lie with its code in a slot of their
 * own, behind its memory, which is not tracked.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2ull << 20)
#define GIB (1ull << 30)
#define ENTRIES 512
#define CPUID_ENTRIES 256

/* Entries of page tables: present, writable, for ring 3, and accessed; and of their last level too:
 * dirty, and a page by itself. */
#define TABLE 0x27u
#define LEAF 0xe7u

/* Segments of ring 3, and its right to ports. */
#define CODE_SEGMENT 0x33
#define DATA_SEGMENT 0x2b
#define RING 3
#define PORTS_FOR_RING_3 0x3000u
#define ALWAYS_SET 0x2u /* in rflags */

#define CR0_PROTECTED 0x1u
#define CR0_EXTENSION 0x10u
#define CR0_PAGING 0x80000000u
#define CR4_PAE 0x20u
#define EFER_LONG 0x500u /* enabled and active */

/* nop; then for each page mov %al,ADDRESS; then out %al,$PORT. The first is never skipped when KVM
 * completes the last out of the run before. */
#define NOP 0x90
#define STORE 0xa2
#define STORE_BYTES 9
#define OUT 0xe6
#define PORT 0x10
#define FRAME_BYTES 3

int guest_fail(struct guest *guest, enum guest_step step)
{
    guest->failure = (struct guest_failure){.step = (int32_t)step, .error = errno};
    return -1;
}

static void *map_memory(uint64_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

uint8_t *guest_memory(uint64_t pages)
{
    return map_memory(pages * GUEST_PAGE);
}

static int set_slot(struct guest *guest, uint32_t slot, uint32_t flags)
{
    const int is_memory = slot == GUEST_SLOT;
    const struct kvm_userspace_memory_region region = {
        .slot = slot,
        .flags = flags,
        .guest_phys_addr = is_memory ? 0 : guest->side_start,
        .memory_size = is_memory ? guest->pages * GUEST_PAGE : guest->side_bytes,
        .userspace_addr = (uint64_t)(is_memory ? guest->memory : guest->side),
    };

    return ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

int guest_log_writes(struct guest *guest, int on)
{
    return set_slot(guest, GUEST_SLOT, on ? KVM_MEM_LOG_DIRTY_PAGES : 0)
               ? guest_fail(guest, GUEST_TRACKING)
               : 0;
}

/* Maps `bytes` from address 0 on to themselves; the tables lie at the beginning of `side`. */
static void make_tables(struct guest *guest, uint64_t bytes)
{
    uint64_t *top = (void *)guest->side;
    uint64_t *next = top + ENTRIES, *leaves = next + ENTRIES;
    uint64_t at;

    top[0] = (guest->side_start + GUEST_PAGE) | TABLE;
    for (at = 0; at * GIB < bytes; at++) {
        next[at] = (guest->side_start + (2 + at) * GUEST_PAGE) | TABLE;
    }
    for (at = 0; at * HUGE < bytes; at++) {
        leaves[at] = at * HUGE | LEAF;
    }
}

static int make_memory(struct guest *guest)
{
    const uint64_t code_bytes = guest->pages * STORE_BYTES + FRAME_BYTES;
    uint64_t tables, end;

    guest->side_start = (guest->pages * GUEST_PAGE + HUGE - 1) / HUGE * HUGE;
    /* A table for each GiB, and two more for what the tables themselves may take. */
    tables = 2 + (guest->side_start + code_bytes) / GIB + 2;
    guest->code = tables * GUEST_PAGE;
    guest->side_bytes = (guest->code + code_bytes + GUEST_PAGE - 1) / GUEST_PAGE * GUEST_PAGE;
    end = guest->side_start + guest->side_bytes;
    guest->side = map_memory(guest->side_bytes);
    if (guest->side == NULL) {
        return guest_fail(guest, GUEST_MEMORY);
    }
    make_tables(guest, end);
    if (set_slot(guest, GUEST_SLOT, 0) || set_slot(guest, GUEST_SLOT + 1, 0)) {
        return guest_fail(guest, GUEST_MEMORY);
    }
    return 0;
}

/* Gives the vCPU all that this host can, 64-bit mode among it. */
static int set_cpuid(struct guest *guest)
{
    struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
    } cpuid = {.head.nent = CPUID_ENTRIES};

    return ioctl(guest->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid)
           || ioctl(guest->vcpu, KVM_SET_CPUID2, &cpuid);
}

static int set_state(struct guest *guest)
{
    struct kvm_segment code = {.limit = 0xffffffff,
                               .selector = CODE_SEGMENT,
                               .type = 11,
                               .present = 1,
                               .dpl = RING,
                               .s = 1,
                               .l = 1,
                               .g = 1};
    struct kvm_segment data = code;
    struct kvm_sregs state;

    data.selector = DATA_SEGMENT;
    data.type = 3;
    data.l = 0;
    data.db = 1;
    if (set_cpuid(guest) || ioctl(guest->vcpu, KVM_GET_SREGS, &state)) {
        return guest_fail(guest, GUEST_STATE);
    }
    state.cs = code;
    state.ds = state.es = state.fs = state.gs = state.ss = data;
    state.cr0 = CR0_PROTECTED | CR0_EXTENSION | CR0_PAGING;
    state.cr3 = guest->side_start;
    state.cr4 |= CR4_PAE;
    state.efer |= EFER_LONG;
    return ioctl(guest->vcpu, KVM_SET_SREGS, &state) ? guest_fail(guest, GUEST_STATE) : 0;
}

static int make_vcpu(struct guest *guest)
{
    const int bytes = ioctl(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    void *run;

    guest->vcpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0);
    if (guest->vcpu < 0 || bytes < 0) {
        return guest_fail(guest, GUEST_VCPU);
    }
    guest->run_bytes = (uint64_t)bytes;
    run = mmap(NULL, guest->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
    if (run == MAP_FAILED) {
        return guest_fail(guest, GUEST_VCPU);
    }
    guest->run = run;
    return set_state(guest);
}

static int make_machine(struct guest *guest)
{
    guest->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (guest->kvm < 0) {
        return guest_fail(guest, GUEST_KVM);
    }
    guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0);
    if (guest->vm < 0) {
        return guest_fail(guest, GUEST_VM);
    }
    if (guest->tracking->enable && guest->tracking->enable(guest)) {
        return -1;
    }
    return make_memory(guest) || make_vcpu(guest) ? -1 : 0;
}

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
    } else if (guest->tracking->in_process || make_machine(guest) == 0) {
        return guest;
    }
    *failure = guest->failure;
    guest_end(guest);
    return NULL;
}

static void close_file(int file)
{
    if (file >= 0) {
        close(file);
    }
}

void guest_end(struct guest *guest)
{
    if (guest->tracking && guest->tracking->end) {
        guest->tracking->end(guest);
    }
    if (guest->run) {
        munmap(guest->run, guest->run_bytes);
    }
    close_file(guest->vcpu);
    close_file(guest->vm);
    close_file(guest->kvm);
    if (guest->side) {
        munmap(guest->side, guest->side_bytes);
    }
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
            code += STORE_BYTES;
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
        const uint64_t start = guest_now();
        const int failed = ioctl(guest->vcpu, KVM_RUN, 0);
        const uint32_t why = guest->run->exit_reason;

        elapsed += guest_now() - start;
        if (failed) {
            if (errno == EINTR) {
                continue;
            }
            guest_fail(guest, GUEST_RUN);
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
    const uint64_t start = guest_now();
    uint64_t word, bits;

    for (word = 0; word < guest_words(guest->pages); word++) {
        for (bits = words[word]; bits; bits &= bits - 1) {
            const uint64_t page = word * GUEST_WORD_PAGES + (uint64_t)__builtin_ctzll(bits);

            *(volatile uint8_t *)(guest->memory + page * GUEST_PAGE) = 1;
        }
    }
    return guest_now() - start;
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
