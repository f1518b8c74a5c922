"""Evidence against another revision: both sides timed in turn, in the same processes."""

from collections.abc import Sequence
from pathlib import Path

from harness.gate.decision import compare_pairs, decide, processes_for
from harness.gate.finding import Evidence, Verdict
from harness.gate.lanes import Compiled, line_up_pairs
from harness.gate.timed import ORIGINS, Row, Tellers, make_request, measure_in_scratch, rows_of
from harness.measurement.experiment import BudgetTooShort
from harness.measurement.lineup import LineUp
from harness.measurement.preparation import MakeLineUp
from harness.native.toolchain import Toolchain
from workloads.conditions import Condition

TOLERANCE = 0.01
"""The share of the speed that may be lost unless it is said otherwise."""
PRECISION = 0.8
"""The half-width of an interval that is good enough, as a share of the tolerance."""
FINEST = 0.001  # what a machine can give, whatever the tolerance


def time_pairs(
    compiled: Sequence[Compiled],
    conditions: tuple[Condition, ...],
    tolerance: float,
    budget: float,
    seed: int,
    tellers: Tellers,
) -> Verdict:
    """Time every pair on all traces of ``conditions`` and say what got slower.

    Args:
        budget: seconds that measuring may take, all operations together.

    Raises:
        BadInput: the older side of a pair counts wrong or crashes.
    """
    processes = processes_for(len(compiled) * len(conditions) * len(ORIGINS))
    precision = max(PRECISION * tolerance, FINEST)
    rows: list[Row] = []
    broken: list[str] = []
    undecided: list[str] = []
    for operation in dict.fromkeys(one.pair.after.operation for one in compiled):
        chosen = [one for one in compiled if one.pair.after.operation == operation]
        request = make_request(operation, conditions, precision, processes, seed)
        share = budget * len(chosen) / len(compiled)
        try:
            plan, outcome = measure_in_scratch(request, share, tellers, _line_up(chosen))
        except BudgetTooShort as error:
            undecided.append(f"{operation}: {error}")
            continue
        rows += rows_of(plan, outcome)
        broken += [failure.sentence() for failure in outcome.failures]
    comparisons = [compare_pairs(row.logs, tolerance) for row in rows]
    changes = decide(comparisons, tolerance)
    findings = [
        row.finding(
            Evidence.REVISION, "ns", row.original_nanoseconds(), compared, tolerance, change
        )
        for row, compared, change in zip(rows, comparisons, changes, strict=True)
    ]
    return Verdict(tuple(findings), tuple(broken), tuple(undecided))


def _line_up(compiled: Sequence[Compiled]) -> MakeLineUp:
    def make(_: Sequence[Toolchain], base: Path) -> LineUp:
        return line_up_pairs(compiled, base)

    return make
