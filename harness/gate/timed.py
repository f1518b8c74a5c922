"""What was timed for the gate: a run in a scratch folder, and its rows."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.gate.decision import Comparison
from harness.gate.finding import Basis, Change, Finding
from harness.gate.revision import SUFFIXES
from harness.measurement.experiment import Experiment, Outcome, Progress
from harness.measurement.plan import Lane, Plan
from harness.measurement.preparation import MakeLineUp, Request, prepare
from harness.measurement.run_folder import RunFolder
from harness.native.variant import find_variant
from harness.statistics.results import typical_seconds
from workloads.conditions import Condition
from workloads.errors import BadInput
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
        basis: Basis,
        unit: str,
        before: float,
        compared: Comparison,
        change: Change,
    ) -> Finding:
        """Return the finding on this row; ``before`` is in ``unit``, ``times`` or ``ns``."""
        lane, interval = self.plan.lanes[self.lane], compared.interval
        processes = len(self.logs)
        noisy = f"±{interval.half_width:.1%} from {processes} processes is not enough"
        return Finding(
            basis,
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
            change,
            noisy if change is Change.UNDECIDED else "",
        )


def rows_of(plan: Plan, outcome: Outcome) -> list[Row]:
    """Return the rows of a run that say something of a variant's speed."""
    return [
        Row(plan, outcome, key, lane) for key, lane in outcome.logs if is_judged(plan.lanes[lane])
    ]


def is_judged(lane: Lane) -> bool:
    """Whether the speedup of ``lane`` is that of its variant.

    A noise floor's is not, nor that of a variant whose cost is paid in other operations.
    """
    return not (lane.noise_floor or lane.paid_in)


def one_name_each(sources: Sequence[str]) -> tuple[str, ...]:
    """Return ``sources`` of variants of *count*, names or paths, each once.

    Raises:
        BadInput: the rows of two different files would have one name.
    """
    chosen: dict[str, str] = {}
    for source in sources:
        name = source
        if Path(source).suffix in SUFFIXES:
            name = find_variant(source, "count").name
        other = chosen.setdefault(name, source)
        if other != source and Path(other).resolve() != Path(source).resolve():
            raise BadInput(f"{other} and {source} are both called {name}; rename one of them.")
    return tuple(chosen.values())


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
    check: Callable[[Plan], None] = lambda _: None,
) -> tuple[Plan, Outcome]:
    """Measure ``request`` in a folder that is gone afterwards.

    Args:
        budget: seconds.
        make_lineup: see :func:`harness.measurement.preparation.prepare`.
        check: looks at the plan before anything is timed, and may refuse it.

    Raises:
        BudgetTooShort: not even one round fits into ``budget``.
        BadInput: it cannot be measured.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch)) as folder,
    ):
        with tellers.steps() as report:
            plan = prepare(request, folder.unfinished, report, make_lineup)
        check(plan)
        folder.begin(plan)
        with tellers.measuring() as follow:
            return plan, Experiment(plan, folder, budget, follow).run()
