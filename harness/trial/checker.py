"""What a call must have given and left behind, checked against numpy (ctypes)."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from harness.native.contract import GIVES, TAKES, Functions, MapStruct
from harness.native.dirty_map import (
    SUMMARY_PAGES,
    Bits,
    differ,
    dirty_pages,
    memory_of,
    unpack,
)
from harness.native.operation import Atomic, Called, Operation
from harness.native.work import Work

_ROUNDS = 20  # of concurrent writers
_WRITTEN_PAGES = 20_000


class _Finding(ctypes.Structure):
    """``struct writers_finding``."""

    _fields_ = (
        ("lost", ctypes.c_uint64),
        ("invented", ctypes.c_uint64),
        ("page", ctypes.c_uint64),
    )


class _Parts(ctypes.Structure):
    """``struct writers_parts``."""

    _fields_ = (
        ("drain", ctypes.c_void_p),
        ("drain_giving", ctypes.c_void_p),
        ("mark", ctypes.c_void_p),
        ("prepare", ctypes.c_void_p),
        ("finish", ctypes.c_void_p),
    )


class Checker:
    """Checks all that came out of a call beside the number.

    Made for a process that a variant may end; see :mod:`harness.trial.trial`.
    """

    def __init__(self, trial: ctypes.CDLL, operation: Operation, work: Work) -> None:
        self._trial = trial
        self._operation = operation
        self._work = work
        self._tried_beside_writers = False

    def fault(
        self,
        functions: Functions,
        view: MapStruct,
        bitmap: NDArray[np.uint8],
        log: NDArray[np.uint8],
        counted: bool,
    ) -> str:
        """Say what a variant, which has been called, did wrong; else nothing.

        Args:
            view: the map after the call, and after what it has stored was read back.
            bitmap: the map before it.
            log: what was to be merged, a bitmap likewise.
            counted: whether the map knows how many of its pages are dirty.
        """
        operation, found = self._operation, ""
        if self._work.changes_map or functions.finish:
            dirty, logged = unpack(bitmap, view.pages), unpack(log, view.pages)
            left = operation.left(dirty, logged, operation.argument)
            found = self._wrong_map(view, left, counted) or self._wrong_log(functions, logged)
        if not found and operation.wrong_output:
            dirty = unpack(bitmap, view.pages)
            found = operation.wrong_output(Called(functions, view, self._work, dirty))
        if not found and operation.atomic and not self._tried_beside_writers:
            self._tried_beside_writers = True
            found = self._wrong_writes(functions, operation.atomic)
        return found

    def _wrong_log(self, functions: Functions, logged: Bits) -> str:
        if functions.form == TAKES or not self._work.struct.log:
            return ""
        changed = np.flatnonzero(unpack(self._work.array("log"), len(logged)) != logged)
        return f"changes the log (page {changed[0]})" if len(changed) else ""

    def _wrong_map(self, view: MapStruct, right: Bits, counted: bool) -> str:
        found = differ(dirty_pages(view), right, "leaves")
        # Where others change the map meanwhile, a counter and a summary may lag behind.
        if found or not view.words or self._operation.atomic:
            return found
        count = int(np.count_nonzero(right))
        if counted and view.dirty != count:
            return f"leaves a counter of {view.dirty} where {count} pages are dirty"
        if view.summary:
            lines = np.add.reduceat(right, np.arange(0, len(right), SUMMARY_PAGES), dtype=np.int64)
            hidden = np.flatnonzero((lines > 0) & ~unpack(memory_of(view, "summary"), len(lines)))
            if len(hidden):
                return (
                    f"leaves a summary that hides dirty pages from {hidden[0] * SUMMARY_PAGES} on"
                )
        return ""

    def _wrong_writes(self, functions: Functions, atomic: Atomic) -> str:
        """Try the variant among other threads that set and take bits."""
        drains = atomic is Atomic.TAKES
        if functions.prepare and drains and not functions.beside:
            return ""  # nobody else can set its bits
        gives = functions.form == GIVES
        parts = _Parts(
            drain=(0 if gives else functions.run) if drains else functions.beside,
            drain_giving=functions.run if gives else 0,
            mark=functions.beside if drains else functions.run,
            prepare=functions.prepare,
            finish=functions.finish,
        )
        words = -(-_WRITTEN_PAGES // 64)
        map_, taken, seen = (np.zeros(words, np.uint64) for _ in range(3))
        view = MapStruct(words=map_.ctypes.data, pages=_WRITTEN_PAGES, page_size=4096)
        finding = _Finding()
        arguments = (
            ctypes.byref(view), ctypes.byref(parts), ctypes.c_void_p(taken.ctypes.data),
            ctypes.c_void_p(seen.ctypes.data), ctypes.byref(finding),
        )  # fmt: skip
        for _ in range(_ROUNDS):
            map_[:] = 0
            if failed := self._trial.writers_round(*arguments):
                raise OSError(failed, "threads cannot be started")
            if finding.invented:
                return f"invents dirty pages beside concurrent writers (first page {finding.page})"
            if finding.lost:
                return f"loses concurrent writes (first lost page {finding.page})"
        return ""
