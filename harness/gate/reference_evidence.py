"""Evidence against a stored reference: speedups now and then, in two runs.

The two runs have nothing in common but the machine, and what a neighbour does to its caches and
branch predictors lasts for seconds or minutes. So rows that are not found unchanged are measured a
second time, and what is slower must be so twice.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from harness.base.errors import BadInput
from harness.gate.decision import compare_runs, decide, processes_for
from harness.gate.finding import Change, Compared, Evidence, Finding, Verdict
from harness.gate.instruction_evidence import Key, compare_counts
from harness.gate.lanes import compile_pairs
from harness.gate.reference import Reference
from harness.gate.revision import Pair
from harness.gate.row import Row
from harness.native.toolchain import find_toolchain, toolchain_names
from harness.native.variant import built_in_variants, find_variant

TOLERANCE = 0.05
"""The share of a speedup that may be lost unless it is said otherwise."""
PRECISION = 0.025
"""The half-width of an interval that is good enough."""


@dataclasses.dataclass(frozen=True)
class Timeable:
    """What of a reference can be timed here."""

    reference: Reference
    sources: tuple[str, ...]
    """Names of its variants, or paths of those that do not come with dirtyscan."""
    toolchains: tuple[str, ...]
    """Those of C; rustc's goes with them."""
    left_out: tuple[str, ...]
    """Variants that cannot be timed, with the reason."""


def timeable(reference: Reference) -> Timeable:
    """Return what of the timings in ``reference`` can be timed here.

    Raises:
        BadInput: a variant does not compile any more.
    """
    pairs: list[Pair] = []
    left_out: list[str] = []
    for name in reference.variants:
        source = reference.source(name)
        try:
            variant = dataclasses.replace(find_variant(source, "count"), name=name)
        except BadInput:
            left_out.append(f"{name} (count), {source} is not here any more")
            continue
        pairs.append(Pair(variant, variant))
    # The original is in C, so that without its compiler there is no speedup.
    toolchains = tuple(name for name in reference.toolchains if name in toolchain_names())
    compiled, obstacles = compile_pairs(pairs, [find_toolchain(name) for name in toolchains])
    left_out += [*obstacles, *(one.obstacle for one in compiled if one.obstacle)]
    sound = [one.pair.name for one in compiled if not one.obstacle]
    part = reference.of_variants(sound)
    sources = tuple(part.source(name) for name in part.variants)
    return Timeable(part, sources, toolchains, tuple(dict.fromkeys(left_out)))


def processes_needed(reference: Reference) -> int:
    """Return how many processes comparing all its rows takes."""
    return processes_for(len(reference.logs))


def compare_with_reference(reference: Reference, rows: Sequence[Row], tolerance: float) -> Verdict:
    """Compare ``rows``, measured now, with those of ``reference`` and say what got slower."""
    chosen: list[tuple[Row, tuple[float, ...]]] = []
    undecided: list[str] = []
    left_out: list[str] = []
    hashes = {trace.key: trace.content_hash for row in rows[:1] for trace in row.run.plan.traces}
    for row in rows:
        lane = row.lane
        before = reference.logs.get((row.key, lane.variant, lane.toolchain))
        if before is None:
            if lane.variant in reference.variants:
                left_out.append(f"{lane.variant} ({lane.toolchain}) on {row.trace} is not in it")
            continue
        if hashes[row.key] != reference.content_hash(row.key):
            undecided.append(f"{row.trace}: the trace is another than the reference's")
            continue
        chosen.append((row, before))
    comparisons = [compare_runs(row.logs, before, tolerance) for row, before in chosen]
    changes = decide(comparisons, tolerance)
    findings = []
    for (row, _), compared, change in zip(chosen, comparisons, changes, strict=True):
        now = row.run.speedups[row.key, row.number].value
        before_value = now / compared.interval.value
        findings.append(
            row.finding(Evidence.REFERENCE, "times", before_value, compared, tolerance, change)
        )
    what = Compared(
        Evidence.REFERENCE, reference.name, len(reference.variants), left_out=tuple(left_out)
    )
    return Verdict(tuple(findings), undecided=tuple(dict.fromkeys(undecided)), compared=(what,))


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

    One that only the second look finds slower is undecided, and one that it has not.
    """
    again = {(row.variant, row.toolchain, row.trace): row for row in second.findings}

    def settle(row: Finding) -> Finding:
        if row.change not in (Change.SLOWER, Change.UNDECIDED):
            return row
        found = again.get((row.variant, row.toolchain, row.trace))
        if found is None:
            return dataclasses.replace(
                row, change=Change.UNDECIDED, reason="it could not be measured a second time"
            )
        if row.change is Change.UNDECIDED and found.change is Change.SLOWER:
            return dataclasses.replace(
                found, change=Change.UNDECIDED, reason="slower only in the second of two looks"
            )
        return found

    return dataclasses.replace(first, findings=tuple(map(settle, first.findings)))


def compare_counts_with_reference(
    reference: Reference, after: Mapping[Key, float], why: Sequence[str], tolerance: float
) -> Verdict:
    """Compare instructions counted now with those of ``reference``.

    Args:
        why: why some could not be counted.
    """
    both = {key: count for key, count in reference.instructions.items() if key in after}
    gone = (
        f"{key.variant} ({key.operation}) is gone"
        for key in reference.instructions
        if key.variant not in built_in_variants(key.operation)
    )
    new = (f"{key.variant} ({key.operation}) is new" for key in after if key not in both)
    held = {f"{key.variant} ({key.operation})" for key in reference.instructions}
    lost = (sentence for sentence in why if any(map(sentence.startswith, held)))
    left_out = tuple(dict.fromkeys((*gone, *new, *lost)))
    return compare_counts(both, after, tolerance, reference.name, left_out)
