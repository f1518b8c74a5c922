"""The trial: every variant is called on every snapshot before it is timed.

Each is tried in a process of its own, so one that crashes or hangs takes nothing with it, and on
maps between guard pages that cannot be written, so one that leaves its map or changes it is caught
in the act. Snapshots lie at the end and at the start of their memory by turns, the first at both.
"""

import ctypes
import dataclasses
import mmap
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from harness.base.processes import (
    end_with_parent,
    possessions,
    signal_name,
    was_ended_from_outside,
)
from harness.native.dirty_map import ARRAYS, COUNTED, DirtyMap
from harness.native.loaded_variant import load_variant
from harness.native.operation import Operation
from harness.native.stopwatch import Snapshots, fill_map
from harness.native.work import Work
from harness.trial.checker import Checker
from harness.trial.guarded import GuardedArrays
from harness.trial.report import (
    ALTERED,
    ASTRAY,
    BROKEN,
    PASSED,
    RUNNING,
    WRONG,
    Fault,
    Report,
    astray,
    end_after,
    has_meddled,
)
from workloads.guest import GuestMemory

_POLL = 0.002
_LARGE = 2**22  # pages
HANG_SECONDS = 10.0
"""How long a call may take beside what its map's size allows."""
_SECONDS_PER_PAGE = 1e-7  # a hundred times the original


class TrialBroken(Exception):
    """The trial itself has failed, which says nothing about the variant on it."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a variant did wrong."""

    snapshot: int
    """Its number in the trace."""
    what: str


class Trial:
    """Tries variants on the snapshots of one trace."""

    def __init__(
        self,
        stopwatch: Path,
        trial: Path,
        operation: Operation,
        memory: GuestMemory,
        snapshots: Snapshots,
    ) -> None:
        self._stopwatch = ctypes.CDLL(str(stopwatch))
        self._library = ctypes.CDLL(str(trial))
        self._operation = operation
        self._memory = memory
        self._snapshots = snapshots
        self._patience = HANG_SECONDS + memory.pages * _SECONDS_PER_PAGE

    def find_fault(self, library: Path, representation: str, bound: bool) -> Finding | None:
        """Try the variant in ``library`` and return the first thing it does wrong, if any.

        Raises:
            TrialBroken: it could not be tried.
        """
        arrays = GuardedArrays(ARRAYS[representation], self._memory.pages)
        shared = mmap.mmap(-1, mmap.PAGESIZE)
        report = Report.from_buffer(shared)
        parent = os.getpid()

        def call() -> None:
            self._call(parent, library, representation, bound, arrays, report)

        status = self._run(call, report)
        if status is not None and was_ended_from_outside(os.waitstatus_to_exitcode(status)):
            report.state = RUNNING
            status = self._run(call, report)  # twice is no accident
        place, arrays.at_end = self._turns()[report.turn]
        number = int(self._snapshots.numbers[place])
        if report.state == PASSED:
            return None
        if report.state == WRONG:
            right = int(self._snapshots.right[place])
            return Finding(number, self._operation.wrong(report.result, right))
        if report.state == ASTRAY:
            return Finding(number, bytes(report.sentence).decode(errors="replace"))
        if report.state == BROKEN:
            raise TrialBroken(bytes(report.sentence).decode(errors="replace"))
        if report.state == ALTERED:
            return Finding(number, "changes the map (its structure)")
        return Finding(number, self._explain(status, report.fault, arrays))

    def _turns(self) -> list[tuple[int, bool]]:
        """Return (snapshot, whether it lies at the end) of each call of a trial."""
        turns = [(place, place % 2 == 0) for place in range(len(self._snapshots))]
        return [(0, False), *turns]

    def _explain(self, status: int | None, fault: Fault, arrays: GuardedArrays) -> str:
        if status is None:
            return f"hangs (no result after {self._patience:.0f} s)"
        if not fault.signal:
            how = os.waitstatus_to_exitcode(status)
            return f"ends the process ({signal_name(-how) if how < 0 else how})"
        if fault.signal in (signal.SIGSEGV, signal.SIGBUS):
            known = arrays.explain(fault.address, bool(fault.write))
            if known:
                return known
            return f"crashes (a fault at address {fault.address:#x})"
        return f"crashes ({signal_name(fault.signal)})"

    def _run(self, call: Callable[[], None], report: Report) -> int | None:
        """Call in a process of its own and return how that ended; see :meth:`_wait`."""
        child = os.fork()
        if child == 0:
            end_after(call, report)
        return self._wait(child, report)

    def _wait(self, child: int, report: Report) -> int | None:
        """Return how ``child`` ended, or None if it made no progress for too long."""
        seen, since = report.turn, time.monotonic()
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            if report.turn != seen:
                seen, since = report.turn, time.monotonic()
            elif time.monotonic() - since > self._patience:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return None
            time.sleep(_POLL)

    def _call(
        self,
        parent: int,
        library: Path,
        representation: str,
        bound: bool,
        arrays: GuardedArrays,
        report: Report,
    ) -> None:
        """Call the variant on every snapshot; runs in the child."""
        end_with_parent(parent)
        own = os.getpid()
        if self._library.trial_watch(ctypes.byref(report.fault)):
            raise OSError("signals cannot be watched")
        had = possessions()
        functions = load_variant(library).functions
        if has_meddled(own, had, report):
            return
        pages, counted = self._memory.pages, representation == COUNTED
        work = Work(self._stopwatch, self._operation.name, self._operation.argument, pages)
        callee = work.callee(functions)
        checker = Checker(self._library, self._operation, work)
        for turn, (place, at_end) in enumerate(self._turns()):
            report.turn = turn
            arrays.at_end = at_end
            arrays.allow_writing(True)
            map_ = DirtyMap(self._memory, [representation], arrays)
            view = map_.views[representation]
            bitmap, log = self._snapshots.bitmaps[place], self._snapshots.logs[place]
            fill_map(self._stopwatch, map_.whole, bitmap)
            dirty = int(self._snapshots.dirty[place])
            work.restore(view, bitmap, log, dirty, counted)
            arrays.allow_writing(False)
            work.begin(callee, view)
            arrays.allow_writing(work.changes_map)
            before = bytes(view)
            returned = work.call(callee, view)
            # On maps so small that the clock takes longer, it is called again on the same state.
            again = functions.prepare and not work.changes_map
            differs = again and work.call(callee, view) != returned
            altered = bytes(view) != before and not work.changes_map
            arrays.allow_writing(work.changes_map or bool(functions.finish))
            work.end(callee, view)
            report.result = work.result(callee, returned, view)
            if has_meddled(own, had, report):
                return
            if report.result != int(self._snapshots.right[place]) and not bound:
                report.state = WRONG
                return
            if altered:
                report.state = ALTERED
                return
            if differs:
                astray(report, "gives something else when it is called again on one state")
                return
            # All that came out of a large map takes long to look at.
            looked_at = (turn == 0 or pages <= _LARGE) and not bound
            if looked_at and (fault := checker.fault(functions, view, bitmap, log, counted)):
                astray(report, fault)
                return
        report.state = PASSED
