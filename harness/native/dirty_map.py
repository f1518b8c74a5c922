"""The dirty map as C sees it: its representations, and memory that holds them (ctypes)."""

import ctypes
import mmap
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.native.contract import MapStruct
from harness.native.memory import make_region
from harness.native.placement import LINE
from workloads.guest import GuestMemory

BYTE_MAP, BITMAP, TWO_LEVEL, COUNTED = "byte map", "bitmap", "two-level bitmap", "counted bitmap"
ARRAYS: Mapping[str, tuple[str, ...]] = {
    BYTE_MAP: ("bytes",),
    BITMAP: ("words",),
    TWO_LEVEL: ("words", "summary"),
    COUNTED: ("words",),
}
"""The arrays of each representation; ``dirtyscan.h`` says what they hold."""
WORD_PAGES, SUMMARY_PAGES = 64, 512
MIGRATION_FLAG = np.uint8(0x08)
Bits = NDArray[np.bool_]
"""One map, an element a page."""


def array_bytes(array: str, pages: int) -> int:
    """Return the length in bytes of an array of the map of ``pages`` pages."""
    if array == "bytes":
        return pages
    bits = pages if array == "words" else -(-pages // SUMMARY_PAGES)
    return -(-bits // WORD_PAGES) * 8


def map_bytes(representation: str, pages: int) -> int:
    """Return the length in bytes of all arrays of a representation."""
    return sum(array_bytes(array, pages) for array in ARRAYS[representation])


class Arrays(Protocol):
    """Memory for the arrays of a map."""

    def address(self, array: str) -> int:
        """Return where ``array`` begins."""


class PlainArrays:
    """Arrays of zeros in memory of their own, each from some line of a page on, between guards.

    Two arrays that begin at the same line of their pages get in each other's way where one is
    written and the other is read, which is no property of whoever does so.
    """

    def __init__(self, lengths: Mapping[str, int], movable: bool = False) -> None:
        """Allocate arrays of ``lengths`` bytes, by name; each begins where its page does.

        Args:
            movable: whether there is room to begin elsewhere; the guard behind is further off then.
        """
        self._lengths = dict(lengths)
        room = mmap.PAGESIZE - LINE if movable else 0
        self._regions = {name: make_region(length + room) for name, length in lengths.items()}
        self._offsets = dict.fromkeys(lengths, 0)

    def move(self, random: np.random.Generator) -> None:
        """Draw anew where in a page each movable array begins; what they hold is lost."""
        for name in self._offsets:
            self._offsets[name] = int(random.integers(mmap.PAGESIZE // LINE)) * LINE

    def address(self, array: str) -> int:
        """Return where ``array`` begins."""
        return self._regions[array].start + self._offsets[array]

    def view(self, array: str) -> NDArray[np.uint8]:
        """Return the memory of ``array``."""
        start = self._offsets[array]
        return self._regions[array].view(start + self._lengths[array])[start:]


def needed_arrays(representations: Iterable[str]) -> list[str]:
    """Return the arrays that some representations need, each once."""
    return list(dict.fromkeys(name for kind in representations for name in ARRAYS[kind]))


class DirtyMap:
    """One dirty map in several representations over the same arrays."""

    def __init__(self, memory: GuestMemory, representations: Iterable[str], arrays: Arrays) -> None:
        self._arrays = arrays  # held, as the structures only point there
        kinds = tuple(dict.fromkeys(representations))
        self.whole = _struct(memory, needed_arrays(kinds), arrays)
        self.views = {kind: _struct(memory, ARRAYS[kind], arrays) for kind in kinds}
        """By representation, what a variant of it gets to see."""


def _struct(memory: GuestMemory, names: Iterable[str], arrays: Arrays) -> MapStruct:
    addresses = {name: arrays.address(name) for name in names}
    return MapStruct(**addresses, pages=memory.pages, page_size=memory.page_size)


def unpack(bitmap: NDArray[np.uint8], pages: int) -> Bits:
    """Return the first ``pages`` pages of a bitmap, the lowest in the lowest bit."""
    return np.unpackbits(bitmap, count=pages, bitorder="little").view(np.bool_)


def memory_of(view: MapStruct, array: str) -> NDArray[np.uint8]:
    """Return the memory of an array that ``view`` has."""
    raw = (ctypes.c_uint8 * array_bytes(array, view.pages)).from_address(getattr(view, array))
    return np.ctypeslib.as_array(raw)


def dirty_pages(view: MapStruct) -> Bits:
    """Return which pages are dirty in a map, whatever its representation."""
    if view.bytes:
        return np.asarray((memory_of(view, "bytes") & MIGRATION_FLAG) != 0)
    return unpack(memory_of(view, "words"), view.pages)


def differ(found: Bits, right: Bits, verb: str) -> str:
    """Say which page a variant ``verb`` (leaves, takes) wrong; empty if there is none."""
    differing = np.flatnonzero(found != right)
    if not len(differing):
        return ""
    page = int(differing[0])
    return f"{verb} page {page} as {'dirty' if found[page] else 'clean'} where it is not"
