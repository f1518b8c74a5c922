"""Memory that tells when a variant leaves its map or changes it (ctypes, Linux)."""

import ctypes
import dataclasses
import mmap
import os
from collections.abc import Iterable

from harness.native.dirty_map import array_bytes

_READ, _WRITE = mmap.PROT_READ, mmap.PROT_WRITE
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Region:
    """An array between two pages that nobody may touch."""

    memory: mmap.mmap
    start: int
    """Address of the first byte behind the guard page before."""
    end: int
    """Address of the guard page behind."""
    length: int
    """Bytes of the array, which lie at the start or at the end."""

    def address(self, at_end: bool) -> int:
        """Return where the array begins if its end (or its start) is at a guard page."""
        return self.end - self.length if at_end else self.start

    def contains(self, address: int) -> bool:
        """Return whether ``address`` is in the region or its guards."""
        return self.start - mmap.PAGESIZE <= address < self.end + mmap.PAGESIZE

    def protect(self, flags: int) -> None:
        """Set what may be done with the memory between the guards."""
        _protect(self.start, self.end - self.start, flags)


class GuardedArrays:
    """Arrays of a map, each between two guard pages, and first at its end of the region."""

    def __init__(self, names: Iterable[str], pages: int) -> None:
        self.regions = {name: _make_region(array_bytes(name, pages)) for name in names}
        self.at_end = True

    def address(self, array: str) -> int:
        """Return where ``array`` begins."""
        return self.regions[array].address(self.at_end)

    def allow_writing(self, allowed: bool) -> None:
        """Let the arrays be written, or only read."""
        for region in self.regions.values():
            region.protect(_READ | _WRITE if allowed else _READ)

    def explain(self, address: int, by_write: bool) -> str | None:
        """Say what a fault at ``address`` was; None if it has nothing to do with the arrays."""
        for name, region in self.regions.items():
            offset = address - region.address(self.at_end)
            if not region.contains(address):
                continue
            if 0 <= offset < region.length:
                return f"changes the map (byte {offset} of its {name})"
            how = "writes" if by_write else "reads"
            if offset < 0:
                return f"{how} outside its map (at byte {offset}; its {name} begin at 0)"
            end = f"its {name} end before byte {region.length}"
            return f"{how} outside its map (at byte {offset}; {end})"
        return None


def _make_region(length: int) -> Region:
    body = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, body + 2 * mmap.PAGESIZE, flags=flags)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + mmap.PAGESIZE
    _protect(start - mmap.PAGESIZE, mmap.PAGESIZE, 0)
    _protect(start + body, mmap.PAGESIZE, 0)
    return Region(memory, start, start + body, length)


def _protect(address: int, length: int, flags: int) -> None:
    if _LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), flags):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
