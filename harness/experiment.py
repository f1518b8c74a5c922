"""The experiment: measuring processes, one after the other, until the ratios are precise enough."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from harness.plan import Plan
from harness.run_folder import RunFolder
from harness.samples import Samples, read_samples
from harness.statistics import Interval, confidence_interval, process_log_speedup
from workloads.errors import BadInput
from workloads.processes import describe_status

# Ranks give an interval from 6 processes on. But stopping as soon as an interval is narrow prefers
# intervals that are narrow by luck, the more so the fewer processes it starts from.
MIN_PROCESSES = 10

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
    processes: Mapping[str, int]
    """By trace, how many processes measured it."""
    stopped: Mapping[Pair, str]
    """``precise``, or ``budget`` if time ran out before the interval was narrow enough."""


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
        index = max(done, default=0) + 1
        longest = 0.0
        while open_traces := self._open():
            elapsed = time.monotonic() - start
            if elapsed + longest > self._budget and self._measured() >= 2:
                break
            began = time.monotonic()
            self._take(self._process(index, open_traces))
            longest = max(longest, time.monotonic() - began)
            if longest > self._budget:
                raise BadInput(
                    f"a budget of {self._budget:g} s is shorter than one round of all variants, "
                    f"which takes {longest:.1f} s here; give more with --budget, or measure less."
                )
            self._report(self._progress(start))
            index += 1
        return self._outcome()

    def _process(self, index: int, keys: list[str]) -> Samples:
        """Run one measuring process and read what it found."""
        places = [str(self._folder.plan), str(self._folder.samples)]
        arguments = [str(os.getpid()), *places, str(index), *keys]
        command = [sys.executable, "-m", "harness.worker", *arguments]
        # A session of its own, so that Ctrl-C reaches this process alone, which then ends that one.
        with subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as worker:
            try:
                _, errors = worker.communicate()
            except BaseException:
                worker.kill()
                raise
        if worker.returncode == 2:
            raise BadInput(errors.strip().splitlines()[-1])
        if worker.returncode:
            raise BadInput(
                f"measuring process {index} ended with {describe_status(worker.returncode)}: "
                f"{(errors.strip().splitlines() or ['it said nothing'])[-1]}"
            )
        return read_samples(self._folder.sample_path(index))

    def _take(self, samples: Samples) -> None:
        self._samples.append(samples)
        for key, elapsed in samples.elapsed.items():
            for original, lane in self._plan.pairs():
                logs = self._logs[key, lane]
                logs.append(process_log_speedup(elapsed[:, original], elapsed[:, lane]))

    def _measured(self) -> int:
        return min(len(logs) for logs in self._logs.values())

    def _half_width(self, key: str) -> float:
        return max(
            confidence_interval(logs).half_width
            for (trace, _), logs in self._logs.items()
            if trace == key and logs
        )

    def _is_precise(self, key: str) -> bool:
        processes = min(len(logs) for (trace, _), logs in self._logs.items() if trace == key)
        return processes >= MIN_PROCESSES and self._half_width(key) <= self._plan.precision

    def _open(self) -> list[str]:
        return [trace.key for trace in self._plan.traces if not self._is_precise(trace.key)]

    def _progress(self, start: float) -> Progress:
        elapsed = time.monotonic() - start
        open_ = self._open()
        worst = max((self._half_width(key) for key in open_), default=0.0)
        processes = len(self._samples) - 1
        needed = float(MIN_PROCESSES)
        if processes >= MIN_PROCESSES:
            # An interval narrows with the square root of the number of processes.
            needed = processes * min(100.0, worst / self._plan.precision) ** 2
        expected = min(self._budget, elapsed * needed / processes) if open_ else elapsed
        return Progress(processes, elapsed, max(expected, elapsed), worst, len(open_))

    def _outcome(self) -> Outcome:
        keys = [trace.key for trace in self._plan.traces]
        lane = self._plan.pairs()[0][1]
        speedups = {pair: confidence_interval(logs) for pair, logs in self._logs.items()}
        return Outcome(
            tuple(self._samples),
            speedups,
            {key: len(self._logs[key, lane]) for key in keys},
            {
                pair: "precise" if interval.half_width <= self._plan.precision else "budget"
                for pair, interval in speedups.items()
            },
        )
