"""The experiment: measuring processes, one after the other, until the ratios are precise enough."""

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.measurement.plan import Plan
from harness.measurement.processes import Processes
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import Samples, failures_path, read_samples
from harness.statistics.interval import Interval, confidence_interval, process_log_speedup
from harness.trial.failure import Failure, read_failures
from workloads.errors import BadInput


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
        self._processes = Processes(plan, folder, budget)
        self._failures = failures_path(folder.samples)
        self._samples: list[Samples] = []
        self._logs: dict[Pair, list[float]] = {
            (trace.key, lane): [] for trace in plan.traces for _, lane in plan.pairs()
        }

    def run(self) -> Outcome:
        """Measure until every trace is precise enough or the budget is spent.

        Raises:
            BadInput: an original counts wrong or dies, the budget is too short for one process, or
                there is nothing to compare.
        """
        self._check_compares()
        start = time.monotonic()
        done = self._folder.finished_processes()
        for index in done:
            self._take(read_samples(self._folder.sample_path(index)))
        if not done:
            self._take(self._processes.measure(0, []))
        self._drop_failed()
        index = max(done, default=0) + 1
        longest = 0.0
        while open_traces := self._open():
            elapsed = time.monotonic() - start
            if elapsed + longest > self._budget and self._measured() >= 2:
                break
            began = time.monotonic()
            self._take(self._processes.measure(index, open_traces))
            self._drop_failed()
            longest = max(longest, time.monotonic() - began)
            if longest > self._budget and self._measured() < 2:
                raise BudgetTooShort(
                    f"a budget of {self._budget:g} s is shorter than one round of all variants, "
                    f"which takes {longest:.1f} s here; give more with --budget, or measure less."
                )
            self._report(self._progress(start))
            index += 1
        return self._outcome()

    def _check_compares(self) -> None:
        """Check that some lane has a speedup of its own."""
        paid = {lane.variant: lane.paid_in for lane in self._plan.lanes if lane.paid_in}
        pairs = [self._plan.lanes[variant] for _, variant in self._plan.pairs()]
        if pairs and all(lane.paid_in for lane in pairs):
            name, where = next(iter(paid.items()))
            raise BadInput(
                f"the cost of variant {name} is paid in {where}, so its speedup says nothing; name "
                "another variant beside it."
            )

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
        compared = {t for t, lane in self._logs if not self._plan.lanes[lane].paid_in}
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
                pair: "precise"
                if interval.half_width <= self._plan.precision
                and len(self._logs[pair]) >= self._plan.processes
                else "budget"
                for pair, interval in speedups.items()
            },
            read_failures(self._failures),
        )
