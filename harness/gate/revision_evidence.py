"""Evidence against another revision: both sides timed in turn, in the same processes."""

from collections.abc import Sequence

from harness.gate.decision import compare_pairs, decide, processes_for
from harness.gate.finding import Evidence, Verdict
from harness.gate.lanes import Compiled, line_up_pairs
from harness.gate.row import Row, rows_of
from harness.measurement.experiment import BudgetTooShort, measure
from harness.measurement.request import Request, condition_traces
from harness.measurement.tell import Tell
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
    tell: Tell,
) -> Verdict:
    """Time every pair on all traces of ``conditions`` and say what got slower.

    Args:
        budget: seconds that measuring may take, all operations together.

    Raises:
        BadInput: the older side of a pair counts wrong or crashes.
    """
    processes = processes_for(len(compiled) * len(conditions) * 2)  # synthetic and captured
    precision = max(PRECISION * tolerance, FINEST)
    rows: list[Row] = []
    broken: list[str] = []
    undecided: list[str] = []
    for operation in dict.fromkeys(one.pair.after.operation for one in compiled):
        chosen = [one for one in compiled if one.pair.after.operation == operation]
        traces = condition_traces(conditions, seed=seed)
        request = Request(line_up_pairs(chosen), traces, precision, seed, processes=processes)
        share = budget * len(chosen) / len(compiled)
        try:
            run = measure(request, share, tell)
        except BudgetTooShort as error:
            undecided.append(f"{operation}: {error}")
            continue
        rows += rows_of(run)
        broken += [failure.sentence() for failure in run.failures]
    comparisons = [compare_pairs(row.logs, tolerance) for row in rows]
    changes = decide(comparisons, tolerance)
    findings = [
        row.finding(
            Evidence.REVISION, "ns", row.original_nanoseconds(), compared, tolerance, change
        )
        for row, compared, change in zip(rows, comparisons, changes, strict=True)
    ]
    return Verdict(tuple(findings), tuple(broken), tuple(undecided))
