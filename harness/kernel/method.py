"""The ways in which the kernel says what a guest has written, and what each needs of this host."""

import dataclasses
import fcntl
import os
import platform
from collections.abc import Sequence

from harness.base.errors import BadInput

_DEVICE = "/dev/kvm"
_GET_API_VERSION, _CHECK_EXTENSION = 0xAE00, 0xAE03  # linux/kvm.h, as KVM_*
_API_VERSION = 12  # that of every Linux since 2.6.22
_MANUAL_PROTECT, _RING, _RING_ACQ_REL = 168, 192, 223  # and of KVM_CAP_*
_ENABLE, _INITIALLY_SET = 1, 2  # bits of what the first of them says
ARCHITECTURE = "x86_64"
"""That of the guest's code."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A way of asking the kernel; ``harness/kernel/*.c`` has it under the same name."""

    name: str
    summary: str
    since: str
    """The Linux that has it."""
    capabilities: tuple[int, ...] = ()
    """Of KVM, one of which it needs."""
    bits: int = 0
    """What KVM must say of the first, if a yes is not enough."""
    needs: str = ""
    """What these are called."""
    starts_full: bool = False
    """Whether every page counts as written at first."""
    in_process: bool = False
    """Whether it tracks memory of a process, and needs no KVM."""


METHODS = (
    Method("get", "KVM_GET_DIRTY_LOG, which protects the pages again", "Linux 2.6.22"),
    Method(
        "clear", "the same with manual protection, and KVM_CLEAR_DIRTY_LOG for all of memory",
        "Linux 5.2", (_MANUAL_PROTECT,), _ENABLE, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2",
    ),
    Method(
        "clear_chunks", "the same, 64 MiB at a time", "Linux 5.2", (_MANUAL_PROTECT,), _ENABLE,
        "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2",
    ),
    Method(
        "initially_set", "the same for all of memory, with all pages set at first", "Linux 5.7",
        (_MANUAL_PROTECT,), _INITIALLY_SET, "KVM_DIRTY_LOG_INITIALLY_SET", starts_full=True,
    ),
    Method(
        "ring", "the vCPU's dirty ring, read and reset", "Linux 5.11", (_RING_ACQ_REL, _RING),
        needs="KVM_CAP_DIRTY_LOG_RING",
    ),
    Method(
        "scan", "no KVM: userfaultfd's write protection and PAGEMAP_SCAN", "Linux 6.7",
        in_process=True,
    ),
)  # fmt: skip
ORIGINAL = METHODS[0]
"""What the others are compared with."""


def find_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """Return the methods called ``names``, each once, or all if there are none.

    Raises:
        BadInput: one does not exist.
    """
    known = {method.name: method for method in METHODS}
    for name in names:
        if name not in known:
            raise BadInput(
                f"{name!r} is no way of asking the kernel; choose from {', '.join(known)}."
            )
    return tuple(known[name] for name in dict.fromkeys(names) or known)


def obstacle(method: Method, device: str = _DEVICE) -> str:
    """Say why ``method`` cannot be used here, and what would help; empty if it can."""
    if platform.machine() != ARCHITECTURE:
        return f"the guest's code is for {ARCHITECTURE}, and this is {platform.machine()}"
    if method.in_process:
        return ""  # the kernel says so when it is tried
    try:
        kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return (
            f"there is no {device}; load KVM's module (modprobe kvm_intel, or kvm_amd), and where "
            "this is a virtual machine have nested virtualization enabled"
        )
    except OSError as error:
        return (
            f"{device} cannot be opened ({error.strerror}); join the group that it is of "
            "('sudo usermod -aG kvm $USER', and log in again)"
        )
    try:
        return _lacks(method, kvm)
    except OSError as error:
        return f"{device} is not KVM ({error.strerror})"
    finally:
        os.close(kvm)


def _lacks(method: Method, kvm: int) -> str:
    if (version := fcntl.ioctl(kvm, _GET_API_VERSION)) != _API_VERSION:
        return (
            f"this kernel has version {version} of KVM, not {_API_VERSION}; {method.since} has it"
        )
    said = [fcntl.ioctl(kvm, _CHECK_EXTENSION, number) for number in method.capabilities]
    if not method.capabilities or (any(said) and said[0] & method.bits == method.bits):
        return ""
    return f"this kernel ({platform.release()}) has no {method.needs}; {method.since} has it"
