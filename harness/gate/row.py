"""The rows of a run that the gate judges: one of its comparisons each."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.decision import Comparison
from harness.gate.finding import Basis, Change, Finding
from harness.gate.named_rows import trace_of
from harness.measurement.plan import Lane
from harness.measurement.run import Run
from harness.native.finding import find_variant
from harness.native.variant import FILES


@dataclasses.dataclass(frozen=True)
class Row:
    """One comparison of a run: a lane on a trace."""

    run: Run
    key: str
    number: int
    """Of the lane."""

    @property
    def lane(self) -> Lane:
        """The lane that is compared with its original."""
        return self.run.plan.lanes[self.number]

    @property
    def logs(self) -> tuple[float, ...]:
        """The natural logarithm of the speedup in each process."""
        return self.run.logs[self.key, self.number]

    @property
    def trace(self) -> str:
        """Condition and origin."""
        return trace_of(self.key)

    @property
    def about(self) -> tuple[str, str, str, str]:
        """Operation, variant, toolchain and trace."""
        return self.run.plan.operation, self.lane.variant, self.lane.toolchain, self.trace

    def original_nanoseconds(self) -> float:
        """Return the typical nanoseconds of a call of what the lane is compared with."""
        return 1e9 * float(self.run.typical_seconds(self.key, self.lane.original).mean())

    def finding(
        self,
        basis: Basis,
        unit: str,
        before: float,
        compared: Comparison,
        change: Change,
    ) -> Finding:
        """Return the finding on this row; ``before`` is in ``unit``, ``times`` or ``ns``."""
        lane, interval = self.lane, compared.interval
        processes = len(self.logs)
        beside = self.original_nanoseconds()
        noisy = f"±{interval.half_width:.1%} from {processes} processes is not enough"
        return Finding(
            basis,
            self.run.plan.operation,
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
            self._by_class(interval.value),
            nanoseconds=(beside, beside / self.run.speedups[self.key, self.number].value),
        )

    def _by_class(self, ratio: float) -> tuple[float, ...]:
        """Return ``ratio`` for each class of placement, of which both sides are in the same."""
        factors = self.run.placement_factors((self.key, self.number))
        return () if factors is None else tuple((ratio * factors.diagonal()).tolist())


def rows_of(run: Run) -> list[Row]:
    """Return the rows of a run that say something of a variant's speed."""
    return [Row(run, key, lane) for key, lane in run.judged]


def one_name_each(sources: Sequence[str], operation: str) -> tuple[str, ...]:
    """Return ``sources`` of variants of ``operation``, names or paths, each once.

    Raises:
        BadInput: the rows of two different files would have one name.
    """
    chosen: dict[str, str] = {}
    for source in sources:
        name = source
        if Path(source).suffix in FILES:
            name = find_variant(source, operation).name
        other = chosen.setdefault(name, source)
        if other != source and Path(other).resolve() != Path(source).resolve():
            raise BadInput(f"{other} and {source} are both called {name}; rename one of them.")
    return tuple(chosen.values())
