/*
 * The machine of a guest (Linux: Documentation/virt/kvm/api.rst).
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

/* Segments of ring 3. */
#define CODE_SEGMENT 0x33
#define DATA_SEGMENT 0x2b
#define RING 3

#define CR0_PROTECTED 0x1u
#define CR0_EXTENSION 0x10u
#define CR0_PAGING 0x80000000u
#define CR4_PAE 0x20u
#define EFER_LONG 0x500u /* enabled and active */

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
    const uint64_t code_bytes = guest->pages * GUEST_STORE_BYTES + GUEST_FRAME_BYTES;
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

int guest_make_machine(struct guest *guest)
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

static void close_file(int file)
{
    if (file >= 0) {
        close(file);
    }
}

void guest_end_machine(struct guest *guest)
{
    if (guest->run) {
        munmap(guest->run, guest->run_bytes);
    }
    close_file(guest->vcpu);
    close_file(guest->vm);
    close_file(guest->kvm);
    if (guest->side) {
        munmap(guest->side, guest->side_bytes);
    }
}
