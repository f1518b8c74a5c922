"""The stopwatch seen from Python: single calls of variants, timed snapshot by snapshot (ctypes)."""

import contextlib
import ctypes
import dataclasses
import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.dirty_map import COUNTED, DirtyMap, MapStruct, PlainArrays, needed_arrays
from harness.native import LoadedVariant
from workloads.guest import GuestMemory

_U64 = np.uint64


class _Lane(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_void_p),
        ("map", ctypes.c_void_p),
        ("calls", ctypes.c_uint64),
        ("counted", ctypes.c_uint64),
    )


class _Snapshots(ctypes.Structure):
    _fields_ = (
        ("bitmaps", ctypes.c_void_p),
        ("bitmap_bytes", ctypes.c_uint64),
        ("numbers", ctypes.c_void_p),
        ("dirty", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
    )


class Place(ctypes.Structure):
    """Where a pass is."""

    _fields_ = (
        ("snapshot", ctypes.c_uint64),
        ("variant", ctypes.c_uint64),  # in the order given to time_pass()
        # For the caller's own use.
        ("trace", ctypes.c_uint64),
        ("alone", ctypes.c_uint64),
    )


@contextlib.contextmanager
def shared_place(path: Path) -> Iterator[Place]:
    """Yield a place that is kept in a file, where it outlives this process."""
    with path.open("w+b") as file:
        file.truncate(mmap.PAGESIZE)
        yield Place.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))


def read_place(path: Path) -> Place:
    """Read what :func:`shared_place` has left."""
    return Place.from_buffer_copy(path.read_bytes())


@dataclasses.dataclass(frozen=True)
class Snapshots:
    """Snapshots of a trace in memory."""

    bitmaps: NDArray[np.uint8]
    """(snapshots, bitmap bytes), C order."""
    numbers: NDArray[np.uint64]
    """Of each in its trace, (snapshots,)."""
    dirty: NDArray[np.uint64]
    """How many pages are dirty in each, as numpy counts them, (snapshots,)."""

    def __len__(self) -> int:
        return len(self.bitmaps)

    def in_order(self, visited: NDArray[np.intp]) -> "Snapshots":
        """Return them in another order."""
        return Snapshots(self.bitmaps[visited], self.numbers[visited], self.dirty[visited])


def make_snapshots(bitmaps: Sequence[NDArray[np.uint8]], numbers: Sequence[int]) -> Snapshots:
    """Return ``bitmaps``, counted."""
    stacked = np.stack(list(bitmaps))
    dirty = np.array([np.bitwise_count(b).sum(dtype=_U64) for b in stacked], dtype=_U64)
    return Snapshots(stacked, np.array(numbers, dtype=_U64), dirty)


class Stopwatch:
    """Times calls of variants on one map, snapshot by snapshot; see ``stopwatch.c``."""

    def __init__(
        self,
        path: Path,
        memory: GuestMemory,
        representations: Iterable[str],
        place: Place | None = None,
    ) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.stopwatch_clock_cost.restype = ctypes.c_uint64
        kinds = tuple(dict.fromkeys(representations))
        self.arrays = PlainArrays(needed_arrays(kinds), memory.pages)
        self._map = DirtyMap(memory, kinds, self.arrays)
        self._place = place or Place()

    def clock_cost(self) -> float:
        """Return the seconds that two readings of the clock take with nothing between them."""
        return float(self._library.stopwatch_clock_cost(ctypes.c_uint64(10_000))) * 1e-9

    def fill(self, bitmap: NDArray[np.uint8]) -> None:
        """Build every representation of ``bitmap``."""
        fill_map(self._library, self._map.whole, bitmap)

    def walk(self, representation: str) -> None:
        """Read every cache line of the map, as is done before each timed call."""
        self._library.stopwatch_walk(ctypes.byref(self._map.views[representation]))

    def time_pass(
        self,
        snapshots: Snapshots,
        variants: Sequence[LoadedVariant],
        calls: Sequence[int],
        order: NDArray[np.uint8],
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Call every variant ``calls`` times on every snapshot.

        Args:
            order: (snapshots, variants) uint8, C order: in which order to call the variants.

        Returns:
            Nanoseconds of all the calls together, and what the last of them returned, both
            (variants, snapshots).
        """
        shape = (len(variants), len(snapshots))
        if order.shape != shape[::-1] or order.dtype != np.uint8:
            raise ValueError("order must be uint8 of shape (snapshots, variants)")
        order = np.ascontiguousarray(order)
        elapsed, results = np.zeros(shape, _U64), np.zeros(shape, _U64)
        lanes = (_Lane * len(variants))(
            *(self._lane(v, c) for v, c in zip(variants, calls, strict=True))
        )
        given = _Snapshots(
            snapshots.bitmaps.ctypes.data,
            snapshots.bitmaps.shape[1],
            snapshots.numbers.ctypes.data,
            snapshots.dirty.ctypes.data,
            len(snapshots),
        )
        self._library.stopwatch_pass(
            ctypes.byref(self._map.whole),
            ctypes.byref(given),
            lanes,
            ctypes.c_uint64(len(variants)),
            ctypes.c_void_p(order.ctypes.data),
            ctypes.c_void_p(elapsed.ctypes.data),
            ctypes.c_void_p(results.ctypes.data),
            ctypes.byref(self._place),
        )
        return elapsed, results

    def _lane(self, variant: LoadedVariant, calls: int) -> _Lane:
        kind = variant.description.map
        view = ctypes.addressof(self._map.views[kind])
        return _Lane(variant.address, view, calls, kind == COUNTED)


def fill_map(stopwatch: ctypes.CDLL, whole: MapStruct, bitmap: NDArray[np.uint8]) -> None:
    """Fill the arrays of ``whole`` from ``bitmap``, with the stopwatch's library."""
    bitmap = np.ascontiguousarray(bitmap)
    stopwatch.stopwatch_fill(ctypes.byref(whole), ctypes.c_void_p(bitmap.ctypes.data))
