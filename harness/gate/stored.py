"""Stored speedups: those of a reference that can be measured here, beside what is measured now."""

import dataclasses
from collections.abc import Iterator, Sequence

from harness.base.errors import BadInput
from harness.gate.decision import compare_runs, decide
from harness.gate.finding import Basis, Change, Compared, Finding, Verdict, join
from harness.gate.lanes import compile_here
from harness.gate.reference import Logs, Reference
from harness.gate.row import Row
from harness.gate.tolerance import Tolerances
from harness.machine.state import shared_core
from harness.measurement.run import Run
from harness.native.finding import find_variant
from harness.native.toolchain import find_toolchains, names_for
from harness.native.variant import Variant

DOUBTFUL = (Change.SLOWER, Change.UNDECIDED)
"""What is measured a second time."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """What of a reference's speedups can be measured here."""

    reference: Reference
    logs: Logs
    """Those of its variants and toolchains that can."""
    toolchains: tuple[str, ...]
    """What to name so that they take part."""
    left_out: tuple[str, ...]
    """Variants that cannot be timed, with the reason."""

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the variants."""
        return tuple(dict.fromkeys(variant for _, variant, _ in self.logs))

    @property
    def sources(self) -> tuple[str, ...]:
        """What the variants are found by: names, or paths of a user's own."""
        return tuple(map(self.reference.source, self.variants))


def find_measurable(reference: Reference, usable: Sequence[str]) -> Stored:
    """Return what of the timings in ``reference`` by the toolchains ``usable`` can be timed here.

    Raises:
        BadInput: a variant does not compile any more.
    """
    logs = {key: logs for key, logs in reference.logs.items() if key[2] in usable}
    variants: list[Variant] = []
    left_out: list[str] = []
    for name in dict.fromkeys(variant for _, variant, _ in logs):
        source = reference.source(name)
        try:
            variants.append(
                dataclasses.replace(find_variant(source, reference.gate.operation), name=name)
            )
        except BadInput:
            left_out.append(f"{name} ({reference.gate.operation}), {source} is not here any more")
    # The original is in C, so that without its compiler there is no speedup.
    toolchains = names_for(usable)
    able = find_toolchains(toolchains) if toolchains else []
    compiled, obstacles = compile_here(variants, able)
    sound = {one.pair.name for one in compiled}
    logs = {key: values for key, values in logs.items() if key[1] in sound}
    return Stored(reference, logs, toolchains, (*left_out, *obstacles))


def compare_with_references(
    measured: Sequence[tuple[Stored, Sequence[Row]]], allowed: Tolerances
) -> Verdict:
    """Compare rows, measured now, with those that are stored and say what got slower.

    Args:
        measured: each reference with the rows of a run of its operation.
    """
    chosen: list[tuple[Stored, Row, tuple[float, ...]]] = []
    undecided: list[str] = []
    compared: list[Compared] = []
    for stored, rows in measured:
        there = list(_in_reference(stored, rows))
        chosen += [(stored, row, before) for row, before, why in there if before and not why]
        undecided += [why for _, before, why in there if before and why]
        left_out = (*(why for _, before, why in there if not before), *stored.left_out)
        name = stored.reference.name
        compared.append(Compared(Basis.REFERENCE, name, left_out=left_out))
    tolerances = [allowed.of(*row.about) for _, row, _ in chosen]
    comparisons = [
        compare_runs(row.logs, before, tolerance)
        for (_, row, before), tolerance in zip(chosen, tolerances, strict=True)
    ]
    changes = decide(comparisons, tolerances)
    findings = []
    for (stored, row, _), compared_row, change in zip(chosen, comparisons, changes, strict=True):
        before_value = row.run.speedups[row.key, row.number].value / compared_row.interval.value
        found = row.finding(Basis.REFERENCE, "times", before_value, compared_row, change)
        findings.append(dataclasses.replace(found, against=stored.reference.name))
    return Verdict(tuple(findings), undecided=tuple(undecided), compared=tuple(compared))


def _in_reference(
    stored: Stored, rows: Sequence[Row]
) -> Iterator[tuple[Row, tuple[float, ...], str]]:
    """Yield the rows of the reference's variants, what they were, and why they are not compared."""
    hashes = {trace.key: trace.content_hash for row in rows[:1] for trace in row.run.plan.traces}
    for row in rows:
        lane = row.lane
        before = stored.logs.get((row.key, lane.variant, lane.toolchain), ())
        if not before and lane.variant in stored.variants:
            yield row, (), f"{lane.variant} ({lane.toolchain}) on {row.trace} is not in it"
        elif before:
            same = hashes[row.key] == stored.reference.content_hash(row.key)
            why = "" if same else f"{row.trace}: the trace is another than the reference's"
            yield row, before, why or slowed_now(row.run)


def slowed_now(run: Run) -> str:
    """Say that speedups of now are those of a shared core; empty if nothing slowed many rounds."""
    return f"{shared_core(run.slowed)} here; ask again when nothing does" if run.is_slowed else ""


def settle(first: Verdict, second: Verdict) -> Verdict:
    """Return ``first`` with its rows that are slower or undecided as ``second`` has them.

    One that only the second look finds slower is undecided, and one that it has not. What the
    second was compared with is what the first was.
    """
    again = {row.about: row for row in second.findings}

    def found_twice(row: Finding) -> Finding:
        if row.change not in DOUBTFUL:
            return row
        found = again.get(row.about)
        if found is None:
            return dataclasses.replace(
                row, change=Change.UNDECIDED, reason="it could not be measured a second time"
            )
        if row.change is Change.UNDECIDED and found.change is Change.SLOWER:
            return dataclasses.replace(
                found, change=Change.UNDECIDED, reason="slower only in the second of two looks"
            )
        return found

    both = join([first, second])
    findings = tuple(map(found_twice, first.findings))
    return dataclasses.replace(both, findings=findings, compared=first.compared)
