"""Memory between two pages that nobody may touch (ctypes, Linux).

A variant that leaves its map ends the process at once, and does not change what lies beside it.
"""

import ctypes
import dataclasses
import mmap
import os

import numpy as np
from numpy.typing import NDArray

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_MAP_FIXED = 0x10  # linux/mman.h; Python's mmap has no name for it


@dataclasses.dataclass(frozen=True)
class Region:
    """Whole pages between two pages that nobody may touch."""

    memory: mmap.mmap
    start: int
    """Address of the first byte behind the guard page before."""
    end: int
    """Address of the guard page behind."""

    def contains(self, address: int) -> bool:
        """Return whether ``address`` is in the region or its guards."""
        return self.start - mmap.PAGESIZE <= address < self.end + mmap.PAGESIZE

    def protect(self, flags: int) -> None:
        """Set what may be done with the memory between the guards."""
        _protect(self.start, self.end - self.start, flags)

    def view(self, length: int) -> NDArray[np.uint8]:
        """Return its first ``length`` bytes."""
        return np.frombuffer(self.memory, np.uint8, length, mmap.PAGESIZE)

    def replace_by(self, descriptor: int) -> None:
        """Put the beginning of an open file in its place, shared with all who map it."""
        arguments = (
            ctypes.c_void_p(self.start), ctypes.c_size_t(self.end - self.start),
            mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | _MAP_FIXED, descriptor,
            ctypes.c_long(0),
        )  # fmt: skip
        if _LIBC.mmap(*arguments) != self.start:
            raise _error()


def make_region(length: int) -> Region:
    """Return a region of at least ``length`` bytes, all zeros."""
    body = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, body + 2 * mmap.PAGESIZE, flags=flags)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + mmap.PAGESIZE
    _protect(start - mmap.PAGESIZE, mmap.PAGESIZE, 0)
    _protect(start + body, mmap.PAGESIZE, 0)
    return Region(memory, start, start + body)


def _protect(address: int, length: int, flags: int) -> None:
    if _LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), flags):
        raise _error()


def _error() -> OSError:
    error = ctypes.get_errno()
    return OSError(error, os.strerror(error))
