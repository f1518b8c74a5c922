"""The experiment: measuring processes, one after the other, until the ratios are precise enough."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.measurement.plan import Plan
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import Samples, failures_path, place_path, read_samples
from harness.measurement.worker import BAD_INPUT, FAILED
from harness.native.operation import find_operation
from harness.native.stopwatch import read_place
from harness.statistics.interval import Interval, confidence_interval, process_log_speedup
from harness.trial.failure import Failure, add_failures, read_failures
from workloads.errors import BadInput
from workloads.processes import describe_status

# How long a measuring process may take before a variant in it is said to hang.
LIMIT, LIMIT_BUDGETS = 60.0, 3.0
# glibc takes large blocks from the kernel until some have been freed, and afterwards from memory
# that it kept; which of the two a variant that allocates meets would depend on what was called
# before it. At a fixed threshold each call gets fresh memory, as in a hypervisor, which allocates
# once in a round, and as at any size above glibc's largest threshold of 32 MiB.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}


class BudgetTooShort(BadInput):
    """Not even one round fits into the budget.

    The gate, which divides a budget by what has changed, takes it for undecided.
    """


Pair = tuple[str, int]
"""A comparison: the key of a trace, and the lane of a variant (or of the noise floor)."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is."""

    processes: int
    elapsed: float
    """Seconds since it began."""
    expected: float
    """Seconds that it will have taken, by what is known now."""
    worst: float
    """The largest half-width of an interval that is still open, or infinity."""
    open_traces: int


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run found."""

    samples: tuple[Samples, ...]
    """Of every process: the calibration first, then those that measured."""
    speedups: Mapping[Pair, Interval]
    logs: Mapping[Pair, tuple[float, ...]]
    """The natural logarithm of the speedup in each process."""
    processes: Mapping[str, int]
    """By trace, how many processes measured it."""
    stopped: Mapping[Pair, str]
    """``precise``, or ``budget`` if time ran out before the interval was narrow enough."""
    failures: tuple[Failure, ...]
    """Variants that went astray, of which nothing else is said."""

    def elapsed(self, key: str) -> list[NDArray[np.float64]]:
        """Return the seconds of one call on a trace, (rounds, lanes, snapshots), by process."""
        return [samples.elapsed[key] for samples in self.samples if key in samples.elapsed]


class Experiment:
    """A run of a plan in a folder; goes on from whatever samples are there."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        budget: float,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._budget = budget
        self._report = report
        self._failures = failures_path(folder.samples)
        self._samples: list[Samples] = []
        self._logs: dict[Pair, list[float]] = {
            (trace.key, lane): [] for trace in plan.traces for _, lane in plan.pairs()
        }

    def run(self) -> Outcome:
        """Measure until every trace is precise enough or the budget is spent.

        Raises:
            BadInput: a variant counts wrong or dies, or the budget is too short for one process.
        """
        start = time.monotonic()
        done = self._folder.finished_processes()
        for index in done:
            self._take(read_samples(self._folder.sample_path(index)))
        if not done:
            self._take(self._process(0, []))
        self._drop_failed()
        index = max(done, default=0) + 1
        longest = 0.0
        while open_traces := self._open():
            elapsed = time.monotonic() - start
            if elapsed + longest > self._budget and self._measured() >= 2:
                break
            began = time.monotonic()
            self._take(self._process(index, open_traces))
            self._drop_failed()
            longest = max(longest, time.monotonic() - began)
            if longest > self._budget:
                raise BudgetTooShort(
                    f"a budget of {self._budget:g} s is shorter than one round of all variants, "
                    f"which takes {longest:.1f} s here; give more with --budget, or measure less."
                )
            self._report(self._progress(start))
            index += 1
        return self._outcome()

    def _process(self, index: int, keys: list[str]) -> Samples:
        """Run one measuring process and read what it found.

        One that a variant ends is run again without that variant.
        """
        while True:
            known = len(read_failures(self._failures))
            status, errors = self._run_worker(index, keys)
            if status == 0:
                return read_samples(self._folder.sample_path(index))
            if status == BAD_INPUT:
                raise BadInput(errors.strip().splitlines()[-1])
            if status != FAILED or len(read_failures(self._failures)) == known:
                self._blame(index, status, errors)

    def _run_worker(self, index: int, keys: list[str]) -> tuple[int | None, str]:
        """Return the worker's exit status, None if it took too long, and what it said."""
        places = [str(self._folder.plan), str(self._folder.samples)]
        arguments = [str(os.getpid()), *places, str(index), *keys]
        command = [sys.executable, "-m", "harness.measurement.worker", *arguments]
        place_path(self._folder.samples).unlink(missing_ok=True)
        allocates = find_operation(self._plan.operation).allocates
        # A session of its own, so that Ctrl-C reaches this process alone, which then ends that one.
        with subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(ALLOCATOR if allocates else {})},
            start_new_session=True,
        ) as worker:
            try:
                # The trial has a limit of its own for each call.
                limit = None if index == 0 else LIMIT + LIMIT_BUDGETS * self._budget
                _, errors = worker.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                worker.kill()
                return None, ""
            except BaseException:
                worker.kill()
                raise
        return worker.returncode, errors

    def _blame(self, index: int, status: int | None, errors: str) -> None:
        """Add the variant that was being timed when a process ended to the failures.

        Raises:
            BadInput: no variant was being timed.
        """
        how = "took too long" if status is None else f"ended with {describe_status(status)}"
        path = place_path(self._folder.samples)
        # A Python error is the harness's own.
        if not path.exists() or (status or 0) > 0:
            last = (errors.strip().splitlines() or ["it said nothing"])[-1]
            raise BadInput(f"measuring process {index} {how}: {last}")
        place = read_place(path)
        sound = self._plan.sound_lanes(read_failures(self._failures))
        native = [number for number in sound if not self._plan.lanes[number].peer]
        # While the number of calls is sought, variants are called alone.
        number = place.alone - 1 if place.alone else native[place.variant]
        lane = self._plan.lanes[number]
        what = "hangs when timed" if status is None else f"crashes when timed (the process {how})"
        key = self._plan.traces[place.trace].key
        failure = Failure(number, lane.variant, lane.toolchain, key, place.snapshot, what)
        add_failures(self._failures, [failure])
        self._plan.sound_lanes([failure])

    def _drop_failed(self) -> None:
        """Leave out of all that follows what is said of variants that have failed."""
        sound = self._plan.sound_lanes(read_failures(self._failures))
        self._logs = {pair: logs for pair, logs in self._logs.items() if pair[1] in sound}

    def _take(self, samples: Samples) -> None:
        self._samples.append(samples)
        for key, elapsed in samples.elapsed.items():
            for original, lane in self._plan.pairs():
                logs = self._logs.get((key, lane))
                if logs is None or np.isnan(elapsed[:, lane]).any():
                    continue
                logs.append(process_log_speedup(elapsed[:, original], elapsed[:, lane]))

    def _measured(self) -> int:
        return min(len(logs) for logs in self._logs.values())

    def _half_width(self, key: str) -> float:
        return max(
            confidence_interval(logs).half_width
            for (trace, lane), logs in self._logs.items()
            if trace == key and logs and not self._plan.lanes[lane].paid_in
        )

    def _is_precise(self, key: str) -> bool:
        processes = min(len(logs) for (trace, _), logs in self._logs.items() if trace == key)
        return processes >= self._plan.processes and self._half_width(key) <= self._plan.precision

    def _open(self) -> list[str]:
        # Where every variant has gone astray there is nothing left to compare.
        compared = {trace for trace, _ in self._logs}
        keys = [trace.key for trace in self._plan.traces if trace.key in compared]
        return [key for key in keys if not self._is_precise(key)]

    def _progress(self, start: float) -> Progress:
        elapsed = time.monotonic() - start
        open_ = self._open()
        worst = max((self._half_width(key) for key in open_), default=0.0)
        processes = len(self._samples) - 1
        needed = float(self._plan.processes)
        if processes >= self._plan.processes:
            # An interval narrows with the square root of the number of processes.
            needed = processes * min(100.0, worst / self._plan.precision) ** 2
        expected = min(self._budget, elapsed * needed / processes) if open_ else elapsed
        return Progress(processes, elapsed, max(expected, elapsed), worst, len(open_))

    def _outcome(self) -> Outcome:
        processes = {
            trace.key: max(
                (len(logs) for (of, _), logs in self._logs.items() if of == trace.key), default=0
            )
            for trace in self._plan.traces
        }
        speedups = {pair: confidence_interval(logs) for pair, logs in self._logs.items()}
        return Outcome(
            tuple(self._samples),
            speedups,
            {pair: tuple(logs) for pair, logs in self._logs.items()},
            processes,
            {
                pair: "precise" if interval.half_width <= self._plan.precision else "budget"
                for pair, interval in speedups.items()
            },
            read_failures(self._failures),
        )
