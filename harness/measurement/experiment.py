"""The experiment: measuring processes, one after the other, until the ratios are precise enough."""

import contextlib
import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.machine.state import Watch
from harness.measurement.astray import Astray
from harness.measurement.budget import Budget, BudgetTooShort
from harness.measurement.plan import Plan
from harness.measurement.preparation import prepare
from harness.measurement.processes import NothingLeft, Processes
from harness.measurement.request import Request
from harness.measurement.run import Pair, Run
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import Samples, read_samples
from harness.measurement.tell import Tell, quiet
from harness.statistics.interval import confidence_interval, process_log_speedup

_LEAST = 2
"""Processes of which an interval can be made."""


@dataclasses.dataclass(frozen=True)
class Look:
    """A look at what there is after some processes, however wide its intervals are."""

    processes: int
    is_enough: Callable[[Run], bool]


def measure(
    request: Request,
    budget: float,
    tell: Tell = quiet,
    check: Callable[[Plan], None] = lambda _: None,
    looks: Sequence[Look] = (),
) -> Run:
    """Measure ``request`` for about ``budget`` seconds, in a folder that is gone afterwards.

    Args:
        check: looks at the plan before anything is timed, and may refuse it.
        looks: after fewer processes than it would take, which may be enough.

    Raises:
        BudgetTooShort: not even one round fits into ``budget``.
        BadInput: it cannot be measured.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch), resumable=False) as folder,
    ):
        plan = prepare(request, folder, tell)
        check(plan)
        return Experiment(plan, folder, Budget(budget), tell, looks).run()


class Experiment:
    """The measurement of a plan in a folder; goes on from whatever samples are there."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        budget: Budget,
        tell: Tell = quiet,
        looks: Sequence[Look] = (),
    ) -> None:
        self._looks = {look.processes: look.is_enough for look in looks}
        self._plan = plan
        self._folder = folder
        self._budget = budget
        self._tell = tell
        self._processes = Processes(plan, folder, budget.seconds)
        self._astray = Astray(plan, folder.samples)
        self._samples: list[Samples] = []
        self._logs: dict[Pair, list[float]] = {
            (trace.key, lane): [] for trace in plan.traces for _, lane in plan.pairs()
        }

    def run(self) -> Run:
        """Measure until every trace is precise enough, a look is, or the budget is spent.

        Raises:
            BudgetTooShort: it is for one process; see there for what is known all the same.
            BadInput: an original of several counts wrong or dies, or there is nothing to compare.
        """
        self._check_compares()
        watch = Watch()
        try:
            with contextlib.suppress(NothingLeft):  # of which the failures say why
                self._measure(watch)
        except BudgetTooShort as error:
            error.run = self._so_far(watch)
            raise
        self._drop_failed()
        return self._so_far(watch)

    def _measure(self, watch: Watch) -> None:
        """Measure, as long as it is worth while.

        Raises:
            NothingLeft: every lane has failed.
            BadInput: see :meth:`run`.
        """
        start = time.monotonic()
        done = self._folder.samples.processes()
        for index in done:
            self._take(read_samples(self._folder.samples.process(index)))
        if not done:
            self._take(self._processes.measure(0, []))
        self._drop_failed()
        index = max(done, default=0) + 1
        longest = 0.0
        while open_traces := self._open():
            elapsed = time.monotonic() - start
            if elapsed + longest > self._budget.seconds and self._measured() >= _LEAST:
                break
            began = time.monotonic()
            self._take(self._processes.measure(index, open_traces))
            self._drop_failed()
            longest = max(longest, time.monotonic() - began)
            if self._measured() < _LEAST:
                self._budget.check(longest)
            self._say_progress(time.monotonic() - start)
            look = self._looks.get(index)
            if look and look(self._so_far(watch)):
                break
            index += 1

    def _so_far(self, watch: Watch) -> Run:
        return Run(
            self._plan,
            self._folder.unfinished,
            tuple(self._samples),
            {pair: tuple(logs) for pair, logs in self._logs.items()},
            self._astray.failures(),
            watch.stop(),
        )

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
        sound = self._astray.sound_lanes()
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
        # Where nothing is left to compare, there is as much of it as there will be.
        return min((len(logs) for logs in self._logs.values()), default=_LEAST)

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

    def _say_progress(self, elapsed: float) -> None:
        open_ = self._open()
        worst = max((self._half_width(key) for key in open_), default=0.0)
        processes = len(self._samples) - 1
        needed = float(self._plan.processes)
        if processes >= self._plan.processes:
            # An interval narrows with the square root of the number of processes.
            needed = processes * min(100.0, worst / self._plan.precision) ** 2
        expected = elapsed * needed / processes if open_ else elapsed
        spent = max(self._budget.seconds, elapsed * _LEAST / processes)
        what = f"measuring, {processes} process{'es' if processes != 1 else ''}"
        if open_ and math.isfinite(worst):
            what += f", worst ±{worst:.2%}"
        self._tell(what, elapsed, max(min(expected, spent), elapsed), "s")
