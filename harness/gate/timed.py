"""What was timed for the gate: a run in a scratch folder, and its rows."""

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from harness.gate.decision import Comparison
from harness.gate.finding import Change, Evidence, Finding
from harness.measurement.experiment import Experiment, Outcome, Progress
from harness.measurement.plan import Plan
from harness.measurement.preparation import MakeLineUp, Request, prepare
from harness.measurement.run_folder import RunFolder
from harness.statistics.results import typical_seconds
from workloads.conditions import Condition
from workloads.guest import GuestMemory
from workloads.synthesis import Report

ORIGINS = ("synthetic", "captured")
Follow = Callable[[Progress], None]


@dataclasses.dataclass(frozen=True)
class Tellers:
    """Who is told how far work in steps, and a measurement, are."""

    steps: Callable[[], AbstractContextManager[Report]]
    measuring: Callable[[], AbstractContextManager[Follow]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One comparison of a run: a lane on a trace."""

    plan: Plan
    outcome: Outcome
    key: str
    lane: int

    @property
    def logs(self) -> tuple[float, ...]:
        """The natural logarithm of the speedup in each process."""
        return self.outcome.logs[self.key, self.lane]

    @property
    def trace(self) -> str:
        """Condition and origin."""
        return " ".join(self.key.rsplit("-", 1))

    def original_nanoseconds(self) -> float:
        """Return the typical nanoseconds of a call of what the lane is compared with."""
        original = self.plan.lanes[self.lane].original
        seconds = typical_seconds(self.outcome.elapsed(self.key), original)
        return 1e9 * float(seconds.mean())

    def finding(
        self,
        evidence: Evidence,
        unit: str,
        before: float,
        compared: Comparison,
        tolerance: float,
        change: Change,
    ) -> Finding:
        """Return the finding on this row; ``before`` is in ``unit``, ``times`` or ``ns``."""
        lane, interval = self.plan.lanes[self.lane], compared.interval
        processes = len(self.logs)
        noisy = f"±{interval.half_width:.1%} from {processes} processes is not enough"
        return Finding(
            evidence,
            self.plan.operation,
            lane.variant,
            lane.toolchain,
            self.trace,
            unit,
            before,
            before / interval.value if unit == "ns" else before * interval.value,
            interval.value,
            interval.low,
            interval.high,
            tolerance,
            change,
            noisy if change is Change.UNDECIDED else "",
        )


def rows_of(plan: Plan, outcome: Outcome) -> list[Row]:
    """Return the rows of a run, without noise floors."""
    return [
        Row(plan, outcome, key, lane)
        for key, lane in outcome.logs
        if not plan.lanes[lane].noise_floor
    ]


def make_request(
    operation: str,
    conditions: tuple[Condition, ...],
    precision: float,
    processes: int,
    seed: int,
    variants: tuple[str, ...] = (),
    toolchains: tuple[str, ...] = (),
) -> Request:
    """Return the request of a quick run on all traces of ``conditions``."""
    return Request(
        conditions=conditions,
        origins=ORIGINS,
        traces=(),
        variants=variants,
        toolchains=toolchains,
        memory=GuestMemory(),
        settings={},
        seed=seed,
        quick=True,
        precision=precision,
        operation=operation,
        processes=processes,
    )


def measure_in_scratch(
    request: Request,
    budget: float,
    tellers: Tellers,
    make_lineup: MakeLineUp | None = None,
) -> tuple[Plan, Outcome]:
    """Measure ``request`` in a folder that is gone afterwards.

    Args:
        budget: seconds.
        make_lineup: see :func:`harness.measurement.preparation.prepare`.

    Raises:
        BadInput: it cannot be measured.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch)) as folder,
    ):
        with tellers.steps() as report:
            plan = prepare(request, folder.unfinished, report, make_lineup)
        folder.begin(plan)
        with tellers.measuring() as follow:
            return plan, Experiment(plan, folder, budget, follow).run()
