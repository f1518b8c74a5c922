"""Measuring processes: each is started, waited for, and asked what became of it."""

import contextlib
import os
import subprocess
from collections import Counter
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.base.processes import (
    ONE_THREAD,
    describe_status,
    module_command,
    module_environment,
    run_alone,
    was_ended_from_outside,
)
from harness.measurement.astray import Astray
from harness.measurement.ending import Kind, read_ending
from harness.measurement.plan import Plan
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import Samples, read_samples
from harness.native.operation import find_operation
from harness.native.place import Place, read_place

# How long a measuring process may take before a variant in it is said to hang; and a single call,
# while the number of calls is sought.
LIMIT, LIMIT_BUDGETS, LIMIT_OF_CALL = 60.0, 3.0, 60.0
# glibc takes large blocks from the kernel until some have been freed, and afterwards from memory
# that it kept; which of the two a variant that allocates meets would depend on what was called
# before it. At a fixed threshold each call gets fresh memory, as in a hypervisor, which allocates
# once in a round, and as at any size above glibc's largest threshold of 32 MiB.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}
_ACCIDENTS = 4  # after so many there is somebody who ends them all
_LONGEST = 1e6  # seconds, more than any clock of the system calls is asked to wait


class NothingLeft(Exception):
    """Every lane has failed, or what it is compared with; the failures say how."""


class Processes:
    """The measuring processes of a run in a folder."""

    def __init__(self, plan: Plan, folder: RunFolder, budget: float) -> None:
        self._plan = plan
        self._folder = folder
        self._limit = min(LIMIT + LIMIT_BUDGETS * budget, _LONGEST)
        self._samples = folder.samples
        self._astray = Astray(plan, folder.samples)

    def measure(self, index: int, keys: list[str]) -> Samples:
        """Run one measuring process and read what it found.

        One that a variant ends is run again without that variant. One that may have been ended by
        somebody else (an operator, or the kernel for want of memory) is run again as it was, until
        it ends a second time while the same variant is called.

        Raises:
            BadInput: it cannot measure, or nothing can be compared any more.
            NothingLeft: see there.
        """
        accidents: Counter[int | None] = Counter()
        while True:
            if not self._astray.sound_lanes():
                raise NothingLeft
            status, errors = self._run_worker(index, keys)
            ending = read_ending(self._samples.ending)
            if ending is None:
                if status is not None and was_ended_from_outside(status):
                    called = self._called()
                    accidents[called] += 1
                    if accidents[called] == 1:
                        if accidents.total() == _ACCIDENTS:
                            raise self._broken(index, f"was ended {_ACCIDENTS} times from outside")
                        continue
                self._blame(index, status, errors)
                accidents.clear()
            elif ending.kind is Kind.DONE:
                return read_samples(self._samples.process(index))
            elif ending.kind is Kind.REFUSED:
                raise BadInput(ending.said)
            elif ending.kind is Kind.BROKEN:
                raise self._broken(index, f"failed ({ending.said})")

    def _run_worker(self, index: int, keys: list[str]) -> tuple[int | None, str]:
        """Return the worker's exit status, None if it took too long, and the last that it said."""
        # A variant may change the folder.
        places = [str(path.absolute()) for path in (self._folder.plan, self._samples.path)]
        arguments = [str(os.getpid()), *places, str(index), *keys]
        for path in (self._samples.place, self._samples.ending):
            with contextlib.suppress(OSError):  # where the folder is gone, the process says it
                path.unlink(missing_ok=True)
        allocates = find_operation(self._plan.operation).allocates
        return run_alone(
            module_command("harness.measurement.process", *arguments),
            module_environment(**ONE_THREAD, **(ALLOCATOR if allocates else {})),
            lambda worker: self._wait(worker, index),
        )

    def _wait(self, worker: subprocess.Popen[bytes], index: int) -> int | None:
        """Return how a worker ended, or None if it took too long.

        The first tries all variants, which takes as long as there are snapshots and has a limit of
        its own for each call. Only then it times them, one snapshot after the other.
        """
        limit = self._limit if index else LIMIT_OF_CALL
        called: tuple[int, int, int] | None = None
        while True:
            try:
                return worker.wait(limit)
            except subprocess.TimeoutExpired:
                place = read_place(self._samples.place)
                now = place and place.active and (place.trace, place.alone, place.snapshot)
                if index or (now and now == called):
                    return None
                called = now or None

    def _blame(self, index: int, status: int | None, errors: str) -> None:
        """Add the variant that was being timed when a process ended to the failures.

        Raises:
            BadInput: no variant was being timed; or it was an original, of which nothing is
                written down, so that the run can be gone on with.
        """
        how = "took too long" if status is None else f"ended with {describe_status(status)}"
        place = read_place(self._samples.place)
        number = self._called()
        if place is None or number is None:
            raise self._broken(index, f"{how} ({errors})")
        what = "hangs when timed" if status is None else f"crashes when timed (the process {how})"
        self._astray.blame(number, self._plan.traces[place.trace].key, place.snapshot, what)

    def _called(self) -> int | None:
        """Return the lane that was being called when a process ended; None if none can be told."""
        place = read_place(self._samples.place)
        return _lane_at(place, self._plan, self._astray.sound_lanes())

    def _broken(self, index: int, what: str) -> BadInput:
        """Return the error for a process that failed and of which no variant can be blamed."""
        if not self._folder.plan.exists():
            return BadInput(
                f"the folder of the run, {self._folder.path}, is gone or was emptied while it was "
                "measured; start anew, and leave the folder alone."
            )
        kept = ""
        if index and self._folder.resumable:
            kept = "; the samples before it are kept, go on with --resume"
        return BadInput(f"measuring process {index} {what}{kept}.")


def _lane_at(place: Place | None, plan: Plan, sound: Sequence[int]) -> int | None:
    """Return the lane that was being called at ``place``; None if none was, or it is no place.

    A variant can write anywhere, so what it has left there is not believed unseen.
    """
    if place is None or not place.active or place.trace >= len(plan.traces):
        return None
    native = [number for number in sound if not plan.lanes[number].peer]
    # While the number of calls is sought, variants are called alone.
    if place.alone:
        return place.alone - 1 if place.alone - 1 in sound else None
    return native[place.variant] if place.variant < len(native) else None
