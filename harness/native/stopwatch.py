"""The stopwatch seen from Python: single calls of variants, timed snapshot by snapshot (ctypes)."""

import ctypes
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.native.contract import MapStruct
from harness.native.dirty_map import (
    COUNTED,
    DirtyMap,
    PlainArrays,
    array_bytes,
    needed_arrays,
)
from harness.native.loaded_variant import LoadedVariant
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS, Operation
from harness.native.place import Place
from harness.native.work import CalleeStruct, Work
from workloads.guest import GuestMemory

_U64 = np.uint64


class _Lane(ctypes.Structure):
    _fields_ = (
        ("callee", CalleeStruct),
        ("map", ctypes.c_void_p),
        ("calls", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("counted", ctypes.c_uint64),
    )


class _Snapshots(ctypes.Structure):
    _fields_ = (
        ("bitmaps", ctypes.c_void_p),
        ("logs", ctypes.c_void_p),
        ("bitmap_bytes", ctypes.c_uint64),
        ("numbers", ctypes.c_void_p),
        ("dirty", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
    )


@dataclasses.dataclass(frozen=True)
class Snapshots:
    """Snapshots of a trace in memory."""

    bitmaps: NDArray[np.uint8]
    """(snapshots, bitmap bytes), C order."""
    logs: NDArray[np.uint8]
    """What is merged into each: the snapshot after it, after the last the first."""
    numbers: NDArray[np.uint64]
    """Of each in its trace, (snapshots,)."""
    dirty: NDArray[np.uint64]
    """How many pages are dirty in each, as numpy counts them, (snapshots,)."""
    right: NDArray[np.uint64]
    """The number that the operation gives on each, by numpy, (snapshots,)."""

    def __len__(self) -> int:
        return len(self.bitmaps)


def make_snapshots(
    bitmaps: Sequence[NDArray[np.uint8]],
    numbers: Sequence[int],
    operation: Operation = OPERATIONS[DEFAULT_OPERATION],
) -> Snapshots:
    """Return ``bitmaps``, with what ``operation`` gives on them."""
    stacked = np.stack(list(bitmaps))
    logs = np.roll(stacked, -1, axis=0)
    words = [_words(bitmap) for bitmap in stacked]
    dirty = [int(np.bitwise_count(map_).sum(dtype=_U64)) for map_ in words]
    right = [
        operation.right(map_, log, operation.argument)
        for map_, log in zip(words, [*words[1:], words[0]], strict=True)
    ]
    found = (np.array(values, dtype=_U64) for values in (list(numbers), dirty, right))
    return Snapshots(stacked, logs, *found)


def _words(bitmap: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.pad(bitmap, (0, -len(bitmap) % 8)).view(np.uint64)


class StartsProcess(Exception):
    """A variant has started a process while it was timed; ``forked`` of the place says which.

    It is :data:`~harness.native.place.NOT_KNOWN` if that process has not come back from the call.
    """


class Stopwatch:
    """Times calls of variants on one map, snapshot by snapshot; see ``stopwatch.c``."""

    def __init__(
        self,
        path: Path,
        memory: GuestMemory,
        representations: Iterable[str],
        operation: Operation = OPERATIONS[DEFAULT_OPERATION],
        place: Place | None = None,
    ) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.stopwatch_clock_cost.restype = ctypes.c_uint64
        self._memory = memory
        self._kinds = tuple(dict.fromkeys(representations))
        lengths = {name: array_bytes(name, memory.pages) for name in needed_arrays(self._kinds)}
        self.arrays = PlainArrays(lengths, movable=True)
        self._map = DirtyMap(memory, self._kinds, self.arrays)
        self._work = Work(self._library, operation.name, operation.argument, memory.pages, True)
        self._place = place or Place()

    def move_arrays(self, random: np.random.Generator) -> None:
        """Draw anew where in a page each array begins that calls work on."""
        self.arrays.move(random)
        self._map = DirtyMap(self._memory, self._kinds, self.arrays)
        self._work.move(random)

    @property
    def changes_map(self) -> bool:
        """Whether a call changes the map, so that it is called once between two clock readings."""
        return self._work.changes_map

    def clock_cost(self) -> float:
        """Return the seconds that two readings of the clock take with nothing between them."""
        return float(self._library.stopwatch_clock_cost(ctypes.c_uint64(10_000))) * 1e-9

    def fill(self, bitmap: NDArray[np.uint8]) -> None:
        """Build every representation of ``bitmap``."""
        fill_map(self._library, self._map.whole, bitmap)

    def clear_away(self) -> None:
        """Let what ran before not matter, as is done before each timed call."""
        self._library.stopwatch_neutral()

    def do_other_work(self) -> None:
        """Let branch predictors forget, as may be done before each visit of :meth:`time_pass`."""
        self._library.stopwatch_other_work()

    def walk(self, representation: str) -> None:
        """Read every cache line of the map, as is done before each timed call."""
        self._library.stopwatch_walk(ctypes.byref(self._map.views[representation]))

    def time_pass(
        self,
        snapshots: Snapshots,
        variants: Sequence[LoadedVariant],
        calls: Sequence[int],
        visited: NDArray[np.intp],
        order: NDArray[np.uint16],
        other_work: bool = False,
        parts: int = 1,
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Call every variant ``calls`` times on snapshots, once if that changes the map.

        Args:
            visited: (visits,): the places of the snapshots, in the order in which to visit them.
            order: (visits, variants): in which order to call the variants on each.
            other_work: whether it comes before each visit, as between two counts of a migration.
            parts: so many of ``variants`` that follow each other are one, at different places; the
                place says which, and not where.

        Returns:
            Nanoseconds of all the calls together, and what the last of them returned, both
            (variants, snapshots); 0 for snapshots that are not visited.

        Raises:
            StartsProcess: see there.
        """
        shape = (len(variants), len(snapshots))
        if order.shape != (len(visited), len(variants)) or order.dtype != np.uint16:
            raise ValueError("order must be uint16 of shape (visits, variants)")
        order, places = np.ascontiguousarray(order), np.ascontiguousarray(visited, _U64)
        elapsed, results = np.zeros(shape, _U64), np.zeros(shape, _U64)
        lanes = (_Lane * len(variants))(
            *(
                self._lane(variant, calls_, number // parts)
                for number, (variant, calls_) in enumerate(zip(variants, calls, strict=True))
            )
        )
        given = _Snapshots(
            snapshots.bitmaps.ctypes.data,
            snapshots.logs.ctypes.data,
            snapshots.bitmaps.shape[1],
            snapshots.numbers.ctypes.data,
            snapshots.dirty.ctypes.data,
            len(snapshots),
        )
        self._library.stopwatch_pass(
            self._work.operation,
            ctypes.byref(self._map.whole),
            ctypes.byref(self._work.struct),
            ctypes.byref(given),
            ctypes.c_void_p(places.ctypes.data),
            ctypes.c_uint64(len(places)),
            ctypes.c_uint64(other_work),
            lanes,
            ctypes.c_uint64(len(variants)),
            ctypes.c_void_p(order.ctypes.data),
            ctypes.c_void_p(elapsed.ctypes.data),
            ctypes.c_void_p(results.ctypes.data),
            ctypes.byref(self._place),
        )
        if self._place.forked:
            raise StartsProcess
        return elapsed, results

    def _lane(self, variant: LoadedVariant, calls: int, number: int) -> _Lane:
        kind = variant.description.map
        view = ctypes.addressof(self._map.views[kind])
        return _Lane(self._work.callee(variant.functions), view, calls, number, kind == COUNTED)


def fill_map(stopwatch: ctypes.CDLL, whole: MapStruct, bitmap: NDArray[np.uint8]) -> None:
    """Fill the arrays of ``whole`` from ``bitmap``, with the stopwatch's library."""
    bitmap = np.ascontiguousarray(bitmap)
    stopwatch.stopwatch_fill(ctypes.byref(whole), ctypes.c_void_p(bitmap.ctypes.data))
