"""What a call must have given and left behind, checked against numpy (ctypes)."""

import ctypes
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.native.dirty_map import SUMMARY_PAGES, MapStruct, array_bytes
from harness.native.operation import TICK_SENT, Operation
from harness.native.stopwatch import WorkArrays

Bits = NDArray[np.bool_]
_SAMPLES = 256  # positions from which the next dirty page is asked for
_ROUNDS = 20  # of concurrent writers
_WRITTEN_PAGES = 20_000


class _Ranges(ctypes.Structure):
    """``struct dirtyscan_ranges``."""

    _fields_ = (
        ("list", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("owner", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
    )


class _Finding(ctypes.Structure):
    """``struct writers_finding``."""

    _fields_ = (
        ("lost", ctypes.c_uint64),
        ("invented", ctypes.c_uint64),
        ("page", ctypes.c_uint64),
    )


class Checker:
    """Calls a variant as the stopwatch does and checks all that came out of it.

    Made for a process that a variant may end; see :mod:`harness.trial.trial`.
    """

    def __init__(
        self, stopwatch: ctypes.CDLL, trial: ctypes.CDLL, operation: Operation, pages: int
    ) -> None:
        self._stopwatch = stopwatch
        self._stopwatch.operation_call.restype = ctypes.c_uint64
        self._trial = trial
        self._operation = operation
        self._name = ctypes.c_char_p(operation.name.encode())
        self._pages = pages
        self._work = WorkArrays(operation, pages)
        self._counted = False
        self._written = False

    def prepare(
        self,
        view: MapStruct,
        bitmap: NDArray[np.uint8],
        log: NDArray[np.uint8],
        dirty: int,
        counted: bool,
    ) -> None:
        """Make the map, already filled, and the work what they are before a call."""
        work, library = self._work.struct, self._stopwatch
        self._counted = counted
        library.operation_prepare(
            ctypes.byref(work),
            ctypes.c_void_p(bitmap.ctypes.data),
            ctypes.c_void_p(log.ctypes.data),
            ctypes.c_uint64(dirty),
            ctypes.c_uint64(self._pages),
        )
        library.operation_find.restype = ctypes.c_void_p
        found = ctypes.c_void_p(library.operation_find(self._name))
        library.operation_restore(found, ctypes.byref(view), ctypes.byref(work), counted)

    def call(self, address: int, view: MapStruct) -> int:
        """Call the variant at ``address`` and return the number that it gives."""
        work = ctypes.byref(self._work.struct)
        arguments = (self._name, ctypes.c_void_p(address), ctypes.byref(view), work)
        result = int(self._stopwatch.operation_call(*arguments))
        if self._operation.name == "drain":
            return int(np.bitwise_count(self._work.arrays["taken"]).sum())
        if self._operation.name == "mark":
            return int(np.bitwise_count(_memory(view.words, "words", self._pages)).sum())
        return result

    def fault(
        self,
        address: int,
        view: MapStruct,
        bitmap: NDArray[np.uint8],
        log: NDArray[np.uint8],
    ) -> str:
        """Say what is wrong beside the number that :meth:`call` gave; empty if nothing is."""
        checks: Mapping[str, Callable[[int, MapStruct, Bits, Bits], str]] = {
            "ranges": self._wrong_ranges,
            "drain": self._wrong_drain,
            "mark": self._wrong_mark,
            "merge": self._wrong_merge,
            "next": self._wrong_next,
            "tick": self._wrong_tick,
        }
        check = checks.get(self._operation.name)
        if check is None:
            return ""
        found = check(address, view, self._bits(bitmap), self._bits(log))
        if not found and self._operation.name in ("drain", "mark") and not self._written:
            self._written = True
            found = self._wrong_writes(address)
        return found

    def _bits(self, bitmap: NDArray[np.uint8]) -> Bits:
        return np.unpackbits(bitmap, count=self._pages, bitorder="little").view(np.bool_)

    def _wrong_ranges(self, address: int, view: MapStruct, dirty: Bits, _log: Bits) -> str:
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)(address)
        ranges = _Ranges(list=self._work.struct.ranges)
        count = function(ctypes.addressof(view), ctypes.addressof(ranges))
        given = np.zeros((0, 2), np.uint64)
        if count:
            raw = (ctypes.c_uint64 * (2 * count)).from_address(ranges.list)
            given = np.ctypeslib.as_array(raw).reshape(-1, 2).copy()
        if ranges.release:
            ranges.release(ctypes.addressof(ranges))
        edges = np.flatnonzero(np.diff(dirty.view(np.int8), prepend=0, append=0))
        right = np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1).astype(np.uint64)
        if given.shape == right.shape and (given == right).all():
            return ""
        place = 0
        if given.shape == right.shape:
            place = int(np.flatnonzero((given != right).any(axis=1))[0])
        return (
            f"lists range {place} as {given[place].tolist()} (first page, pages) where "
            f"{right[place].tolist()} is right"
        )

    def _wrong_drain(self, _address: int, view: MapStruct, dirty: Bits, _log: Bits) -> str:
        taken = self._bits(self._work.arrays["taken"].view(np.uint8))
        return _first_difference(taken, dirty, "takes") or _first_difference(
            self._map_bits(view), np.zeros_like(dirty), "leaves"
        )

    def _wrong_mark(self, _address: int, view: MapStruct, dirty: Bits, _log: Bits) -> str:
        return _first_difference(self._map_bits(view), dirty, "leaves")

    def _wrong_merge(self, _address: int, view: MapStruct, dirty: Bits, log: Bits) -> str:
        return self._wrong_map(view, dirty | log)

    def _wrong_tick(self, _address: int, view: MapStruct, dirty: Bits, log: Bits) -> str:
        left = dirty | log
        left[np.flatnonzero(left)[:TICK_SENT]] = False
        return self._wrong_map(view, left)

    def _wrong_map(self, view: MapStruct, right: Bits) -> str:
        found = _first_difference(self._map_bits(view), right, "leaves")
        if found or not view.words:
            return found
        count = int(np.count_nonzero(right))
        if self._counted and view.dirty != count:
            return f"leaves a counter of {view.dirty} where {count} pages are dirty"
        if view.summary:
            lines = np.add.reduceat(right, np.arange(0, len(right), SUMMARY_PAGES), dtype=np.int64)
            bits = np.unpackbits(_memory(view.summary, "summary", self._pages), bitorder="little")
            hidden = np.flatnonzero((lines > 0) & (bits[: len(lines)] == 0))
            if len(hidden):
                return (
                    f"leaves a summary that hides dirty pages from {hidden[0] * SUMMARY_PAGES} on"
                )
        return ""

    def _wrong_next(self, address: int, view: MapStruct, dirty: Bits, _log: Bits) -> str:
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(address)
        places = np.append(np.flatnonzero(dirty), self._pages)
        asked = np.unique(np.linspace(0, self._pages - 1, _SAMPLES).astype(np.int64))
        right = places[np.searchsorted(places, asked)]
        for start, expected in zip(asked.tolist(), right.tolist(), strict=True):
            found = function(ctypes.addressof(view), start)
            if found != expected:
                return f"finds page {found} from page {start} on where {expected} is right"
        return ""

    def _wrong_writes(self, address: int) -> str:
        """Try the variant among other threads that set and take bits."""
        words = -(-_WRITTEN_PAGES // 64)
        map_, taken, seen = (np.zeros(words, np.uint64) for _ in range(3))
        view = MapStruct(words=map_.ctypes.data, pages=_WRITTEN_PAGES, page_size=4096)
        drain, mark = (
            ctypes.c_void_p(address if self._operation.name == name else None)
            for name in ("drain", "mark")
        )
        finding = _Finding()
        for _ in range(_ROUNDS):
            map_[:] = 0
            failed = self._trial.writers_round(
                ctypes.byref(view), drain, mark, ctypes.c_void_p(taken.ctypes.data),
                ctypes.c_void_p(seen.ctypes.data), ctypes.byref(finding),
            )  # fmt: skip
            if failed:
                raise OSError(failed, "threads cannot be started")
            if finding.invented:
                return f"invents dirty pages beside concurrent writers (first page {finding.page})"
            if finding.lost:
                return f"loses concurrent writes (first lost page {finding.page})"
        return ""

    def _map_bits(self, view: MapStruct) -> Bits:
        if view.bytes:
            return np.asarray((_memory(view.bytes, "bytes", self._pages) & 0x08) != 0)
        return self._bits(_memory(view.words, "words", self._pages))


def _memory(address: int, array: str, pages: int) -> NDArray[np.uint8]:
    raw = (ctypes.c_uint8 * array_bytes(array, pages)).from_address(address)
    return np.ctypeslib.as_array(raw)


def _first_difference(found: Bits, right: Bits, verb: str) -> str:
    differing = np.flatnonzero(found != right)
    if not len(differing):
        return ""
    page = int(differing[0])
    return f"{verb} page {page} as {'dirty' if found[page] else 'clean'} where it is not"
