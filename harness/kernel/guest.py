"""A guest of our own, seen from Python (ctypes); ``guest.h`` says what it is."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.units import format_size
from harness.kernel.method import Method

PAGE_SIZE = 4096
Words = NDArray[np.uint64]
"""A bitmap, one bit a page, lowest first; bits behind the last page are 0."""
LARGEST = 500 * 2**30
"""Bytes of guest memory that its page tables can map, beside its code."""
_FAILED = 2**64 - 1


class _Failure(ctypes.Structure):
    _fields_ = (
        ("step", ctypes.c_int32),
        ("error", ctypes.c_int32),
        ("exit", ctypes.c_uint32),
        ("detail", ctypes.c_uint32),
    )


_EXIT = 8
_WHY = {
    1: "/dev/kvm cannot be opened ({error}); see that you may use it",
    2: "KVM makes no virtual machine ({error}); see that no other hypervisor has the CPU",
    3: "KVM does not take memory of {size} ({error}); give it less",
    4: "KVM makes no vCPU ({error})",
    5: "KVM does not take the state of a vCPU in 64-bit mode ({error})",
    6: "the kernel does not track the guest's memory so ({error}); {since} does",
    7: "KVM_RUN fails ({error}); where it is for want of memory, give it less",
    _EXIT: "its vCPU has stopped: {exit}",
    9: "the kernel does not say what was written ({error})",
    10: "the kernel does not allow userfaultfd ({error}); allow it (sysctl "
    "vm.unprivileged_userfaultfd=1, and in a container a seccomp profile that has userfaultfd)",
}
"""By ``enum guest_step``."""
EXITS = {
    0: "for a reason that the CPU gives and KVM does not know",
    1: "an exception that KVM hands on",
    2: "it used a port that is not its own",
    5: "it halted",
    6: "it used memory that it has not",
    7: "an interrupt that nobody waits for",
    8: "it shut down (a triple fault)",
    9: "the CPU refused to enter it (reason {detail:#x})",
    10: "it was interrupted",
    17: "an error inside KVM (number {detail}; 1 is an instruction that it cannot emulate)",
    24: "an event of the system",
    31: "its dirty ring is full",
    39: "a fault in its memory",
}
"""What KVM_EXIT_* mean, as far as a guest without devices can meet them."""


def exit_in_words(reason: int, detail: int = 0) -> str:
    """Say why a vCPU has stopped, from KVM's number for it."""
    known = EXITS.get(reason, "for a reason that is not known here")
    return f"{known.format(detail=detail)}, exit {reason}"


def load_guest_library(path: Path) -> ctypes.CDLL:
    """Load what :func:`harness.native.build.build_guest` has built."""
    library = ctypes.CDLL(str(path))
    library.guest_memory.restype = ctypes.c_void_p
    library.guest_make.restype = ctypes.c_void_p
    for name in ("guest_write", "guest_start", "guest_stop", "guest_sync"):
        getattr(library, name).restype = ctypes.c_uint64
    library.guest_failure_of.restype = ctypes.POINTER(_Failure)
    return library


def make_memory(library: ctypes.CDLL, pages: int) -> int:
    """Return the address of memory that several guests may share, of which no page is there yet.

    Raises:
        BadInput: there is not so much.
    """
    address = library.guest_memory(ctypes.c_uint64(pages))
    if not address:
        size = format_size(pages * PAGE_SIZE)
        raise BadInput(f"this machine gives no {size} of memory to a guest; give it less.")
    return int(address)


class Guest:
    """A guest whose writes are tracked in one way."""

    def __init__(self, library: ctypes.CDLL, method: Method, memory: int, pages: int) -> None:
        """Make a guest of ``pages`` pages of 4 KiB at the address ``memory``.

        Raises:
            BadInput: this host cannot.
        """
        self._library, self._method, self._pages = library, method, pages
        failure = _Failure()
        self._guest = library.guest_make(
            method.name.encode(), ctypes.c_void_p(memory), ctypes.c_uint64(pages),
            ctypes.byref(failure),
        )  # fmt: skip
        if not self._guest:
            raise self._failed(failure)

    def end(self) -> None:
        """Let go of it."""
        self._library.guest_end(ctypes.c_void_p(self._guest))

    def write(self, words: Words) -> float:
        """Let it write a byte of every page of a bitmap, and return the seconds that it ran."""
        return self._timed("guest_write", words)

    def start(self) -> float:
        """Have the kernel track what it writes from now on, and return the seconds that took."""
        return self._timed("guest_start")

    def stop(self) -> float:
        """End the tracking, and return the seconds that took."""
        return self._timed("guest_stop")

    def sync(self, words: Words) -> float:
        """Make ``words`` what it has written since the last sync, and return the seconds."""
        return self._timed("guest_sync", words)

    def _timed(self, function: str, words: Words | None = None) -> float:
        given = [ctypes.c_void_p(self._guest)]
        if words is not None:
            if words.dtype != np.uint64 or len(words) != -(-self._pages // 64):
                raise ValueError("words must be uint64, one for each 64 pages")
            given.append(ctypes.c_void_p(words.ctypes.data))
        elapsed = int(getattr(self._library, function)(*given))
        if elapsed == _FAILED:
            pointer = self._library.guest_failure_of(ctypes.c_void_p(self._guest))
            raise self._failed(pointer.contents)
        return elapsed * 1e-9

    def _failed(self, failure: _Failure) -> BadInput:
        why = _WHY.get(failure.step, "there is no memory for it").format(
            error=os.strerror(failure.error),
            size=format_size(self._pages * PAGE_SIZE),
            since=self._method.since,
            exit=exit_in_words(failure.exit, failure.detail),
        )
        return BadInput(f"a guest tracked by {self._method.name} cannot be run: {why}.")


@contextlib.contextmanager
def running(library: ctypes.CDLL, method: Method, memory: int, pages: int) -> Iterator[Guest]:
    """Yield a guest that is let go of at the end; see :class:`Guest`."""
    guest = Guest(library, method, memory, pages)
    try:
        yield guest
    finally:
        guest.end()
