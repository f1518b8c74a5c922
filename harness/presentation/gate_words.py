"""What the gate found, in words: the same in a terminal, a pull request and an annotation."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from harness.base.text import sentence
from harness.gate.finding import Basis, Change, Compared, Finding, Verdict

_SINCE = {
    Basis.REFERENCE: "than in the reference",
    Basis.REVISION: "than before",
    Basis.INSTRUCTIONS: "than before",
    Basis.REQUIREMENT: "than required",
}
_DONE = {
    Basis.REFERENCE: "timed",
    Basis.REVISION: "timed",
    Basis.INSTRUCTIONS: "counted in instructions",
    Basis.REQUIREMENT: "checked",
}


def headline(verdict: Verdict) -> str:
    """Return the answer in one sentence."""
    slower = subjects(verdict.having(Change.SLOWER))
    asked_alone = {one.basis for one in verdict.compared} == {Basis.REQUIREMENT}
    if verdict.broken:
        return f"{_count(len(verdict.broken), 'variant')} went astray."
    if slower and asked_alone:
        return f"{_count(len(slower), 'variant')} slower than required."
    if slower:
        return f"{_count(len(slower), 'variant')} got slower."
    if verdict.empty:
        return "Nothing was compared."
    if verdict.open:
        return "It could not be decided whether a variant got slower."
    return "All requirements are met." if asked_alone else "No variant got slower."


def comparisons(verdict: Verdict) -> str:
    """Return what was compared with what, in one sentence: the first of every answer."""
    parts = []
    for one in verdict.compared:
        parts.append(", ".join(_compared(one, verdict.rows_of(one))))
    said = "; ".join(parts) or "nothing was asked"
    return sentence(said)


def _compared(one: Compared, rows: Sequence[Finding]) -> Iterator[str]:
    """Yield what one kind of evidence has compared, and what it has not."""
    done = _DONE[one.basis]
    if one.basis is Basis.REQUIREMENT:
        yield f"{_count(one.subjects, 'requirement')} {done} on {_count(len(rows), 'row')}"
    elif rows:
        operations = ", ".join(dict.fromkeys(row.operation for row in rows))
        variants = _count(len(subjects(rows)), "variant")
        what = f"{_count(len(rows), 'row')} of {variants} ({operations})"
        yield f"{what} {done} against {one.against}"
    elif not one.same_code:
        yield f"nothing {done} against {one.against}"
    if one.same_code:
        which = "all" if one.same_code == one.subjects else f"{one.same_code} of"
        who = f"{which} {one.subjects} variants have" if one.subjects > 1 else "the variant has"
        yield f"{who} compiled to {'the same code' if rows else f'the very code of {one.against}'}"
    if one.left_out:
        yield f"{len(one.left_out)} not compared"


def remarks(verdict: Verdict) -> list[str]:
    """Return what a reader should know besides: what was not compared, and why."""
    missing = dict.fromkeys(text for one in verdict.compared for text in one.left_out)
    return [*([f"not compared: {'; '.join(missing)}"] if missing else []), *verdict.remarks]


def subjects(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """Return operation, variant and toolchain of ``findings``, each once."""
    return list(dict.fromkeys((f.operation, f.variant, f.toolchain) for f in findings))


def summaries(findings: Sequence[Finding], change: Change) -> list[str]:
    """Return a sentence for each variant and evidence with ``change``, naming the worst trace."""

    def of(finding: Finding) -> tuple[str, ...]:
        return finding.operation, finding.variant, finding.toolchain, finding.basis

    sentences = []
    for _, group in groupby(sorted(findings, key=of), of):
        rows = list(group)
        changed = [row for row in rows if row.change is change]
        if changed:
            sentences.append(_summary(changed, len(rows)))
    return sentences


def undecided(verdict: Verdict) -> list[str]:
    """Return a sentence for all that could not be decided, rows first."""
    return [*summaries(verdict.findings, Change.UNDECIDED), *verdict.undecided]


def _summary(changed: Sequence[Finding], traces: int) -> str:
    first = changed[0]
    subject = f"{first.variant} ({first.operation}, {first.toolchain})"
    where = f"on {len(changed)} of {traces} traces"
    if first.change is Change.UNDECIDED:
        return f"{subject}: undecided {where}, {first.reason}"
    worst = min(changed, key=lambda row: row.ratio)
    best = max(changed, key=lambda row: row.ratio)
    extreme = worst if first.change is Change.SLOWER else best
    if first.basis is Basis.INSTRUCTIONS:
        amount = f"takes {percent(1 / extreme.ratio)} instructions"
    else:
        amount = f"is {percent(extreme.ratio)}"
        amount = f"{amount.replace('more', 'faster').replace('fewer', 'slower')}"
    said = values(extreme)
    if extreme.placements and first.change is Change.SLOWER:
        said += f"; {extreme.by_placement()}"
    return (
        f"{subject} {amount} {_SINCE[first.basis]} on {extreme.trace} ({said}); "
        f"{first.change} {where}"
    )


def percent(ratio: float) -> str:
    """Return how much more or fewer ``ratio`` is, such as ``5.0 % fewer``."""
    return f"{abs(ratio - 1):.1%}".replace("%", " %") + (" more" if ratio >= 1 else " fewer")


def values(finding: Finding) -> str:
    """Return what was before and is after, with the unit."""
    return f"{amount(finding.before, finding.unit)} to {amount(finding.after, finding.unit)}"


def amount(value: float, unit: str) -> str:
    """Return ``value`` for a reader."""
    if unit == "times":
        # Here, since it loads what takes a second, and the command's help has no number to write.
        from harness.presentation.table import format_short

        return f"{format_short(value)}x"
    if unit == "instructions":
        return f"{value:.3g}/page"
    if value < 1000:
        return f"{value:.0f} ns"
    return f"{value / 1000:.3g} µs" if value < 1e6 else f"{value / 1e6:.3g} ms"


def interval(finding: Finding) -> str:
    """Return the interval of the ratio; empty where nothing is random."""
    if finding.low == finding.high:
        return ""
    return f"{finding.low:.3f} to {finding.high:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
