"""Evidence against a stored reference: speedups now and then, in two runs.

The two runs have nothing in common but the machine, and what a neighbour does to its caches and
branch predictors lasts for seconds or minutes. So rows that are not found unchanged are measured a
second time, and what is slower must be so twice.
"""

import dataclasses
from collections.abc import Sequence

from harness.gate.decision import compare_runs, decide, processes_for
from harness.gate.finding import Change, Evidence, Finding, Verdict
from harness.gate.instruction_evidence import Key, compare_counts
from harness.gate.reference import Reference
from harness.gate.timed import Row
from workloads.errors import BadInput

TOLERANCE = 0.05
"""The share of a speedup that may be lost unless it is said otherwise."""
PRECISION = 0.025
"""The half-width of an interval that is good enough."""


def usable_toolchains(reference: Reference) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the toolchains whose rows can be compared, and why others cannot."""
    usable: list[str] = []
    reasons: list[str] = []
    for name in reference.toolchains:
        try:
            reason = reference.other_compiler(name)
        except BadInput as error:
            reason = str(error)
        if reason:
            reasons.append(f"reference {reference.folder}: {reason}")
        else:
            usable.append(name)
    return tuple(usable), tuple(reasons)


def processes_needed(reference: Reference) -> int:
    """Return how many processes comparing all its rows takes."""
    return processes_for(len(reference.logs))


def compare_with_reference(reference: Reference, rows: Sequence[Row], tolerance: float) -> Verdict:
    """Compare ``rows``, measured now, with those of ``reference`` and say what got slower."""
    chosen: list[tuple[Row, tuple[float, ...]]] = []
    undecided: list[str] = []
    hashes = {trace.key: trace.content_hash for row in rows[:1] for trace in row.plan.traces}
    for row in rows:
        lane = row.plan.lanes[row.lane]
        before = reference.logs.get((row.key, lane.variant, lane.toolchain))
        if before is None:
            continue
        if hashes[row.key] != reference.content_hash(row.key):
            undecided.append(f"{row.trace}: the trace is another than the reference's")
            continue
        chosen.append((row, before))
    comparisons = [compare_runs(row.logs, before, tolerance) for row, before in chosen]
    changes = decide(comparisons, tolerance)
    findings = []
    for (row, _), compared, change in zip(chosen, comparisons, changes, strict=True):
        now = row.outcome.speedups[row.key, row.lane].value
        before_value = now / compared.interval.value
        findings.append(
            row.finding(Evidence.REFERENCE, "times", before_value, compared, tolerance, change)
        )
    return Verdict(tuple(findings), undecided=tuple(dict.fromkeys(undecided)))


@dataclasses.dataclass(frozen=True)
class Doubtful:
    """What is to be measured a second time."""

    variants: tuple[str, ...]
    conditions: tuple[str, ...]


def in_doubt(verdict: Verdict) -> Doubtful | None:
    """Return what is concerned by rows that are slower or undecided; None if there are none."""
    rows = [*verdict.having(Change.SLOWER), *verdict.having(Change.UNDECIDED)]
    if not rows:
        return None
    conditions = (row.trace.rpartition(" ")[0] for row in rows)
    return Doubtful(
        tuple(dict.fromkeys(row.variant for row in rows)), tuple(dict.fromkeys(conditions))
    )


def look_twice(first: Verdict, second: Verdict) -> Verdict:
    """Return ``first`` with its rows that are slower or undecided as ``second`` has them.

    One that only the second look finds slower is undecided.
    """
    again = {(row.variant, row.toolchain, row.trace): row for row in second.findings}

    def settle(row: Finding) -> Finding:
        if row.change not in (Change.SLOWER, Change.UNDECIDED):
            return row
        found = again[row.variant, row.toolchain, row.trace]
        if row.change is Change.UNDECIDED and found.change is Change.SLOWER:
            return dataclasses.replace(
                found, change=Change.UNDECIDED, reason="slower only in the second of two looks"
            )
        return found

    return dataclasses.replace(first, findings=tuple(map(settle, first.findings)))


def compare_counts_with_reference(
    reference: Reference, after: dict[Key, float], tolerance: float
) -> Verdict:
    """Compare instructions counted now with those of ``reference``."""
    both = {key: count for key, count in reference.instructions.items() if key in after}
    gone = sorted({key.variant for key in reference.instructions if key not in after})
    verdict = compare_counts(both, after, tolerance)
    remarks = (f"not counted here, so not compared: {', '.join(gone)}",) if gone else ()
    return Verdict(verdict.findings, remarks=remarks)
