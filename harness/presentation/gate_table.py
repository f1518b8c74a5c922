"""The gate's answer in a terminal, 80 columns wide."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.gate.finding import Change, Finding, Verdict
from harness.presentation import gate_words as words

_STYLES = {Change.SLOWER: "red", Change.UNDECIDED: "yellow", Change.FASTER: "green"}
_MOST_ROWS = 24
"""Rows that are all shown; of more, only those that changed."""


def gate_table(verdict: Verdict) -> Group:
    """Return the rows, then what a reader should know, then the answer: what was compared first."""
    parts: list[RenderableType] = []
    shown = _shown(verdict.findings)
    for basis in dict.fromkeys(finding.basis for finding in shown):
        parts.append(_table(basis, [f for f in shown if f.basis is basis]))
    hidden = Counter(f.basis for f in verdict.findings if f not in shown)
    parts += [Text(f"{basis}: {count} rows unchanged") for basis, count in hidden.items()]
    parts += [Text(sentence, "dim") for sentence in words.remarks(verdict)]
    for change in (Change.FASTER, Change.UNDECIDED, Change.SLOWER):
        style = _STYLES[change]
        parts += [
            Text(f"{change}: {said}", style) for said in words.summaries(verdict.findings, change)
        ]
    parts += [Text(f"undecided: {sentence}", "yellow") for sentence in verdict.undecided]
    parts += [Text(f"failed: {sentence}", "red") for sentence in verdict.broken]
    style = "bold red" if verdict.failed else "bold"
    parts.append(Text(f"{words.comparisons(verdict)} {words.headline(verdict)}", style))
    return Group(*parts)


def _shown(findings: Sequence[Finding]) -> list[Finding]:
    if len(findings) <= _MOST_ROWS:
        return list(findings)
    return [finding for finding in findings if finding.change is not Change.UNCHANGED]


def _table(title: str, findings: Sequence[Finding]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("variant")
    table.add_column("trace")
    for name in ("before", "after", "speed", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for finding in findings:
        table.add_row(
            Text(finding.variant),
            Text(finding.trace),
            words.amount(finding.before, finding.unit),
            words.amount(finding.after, finding.unit),
            f"{finding.ratio:.3f}",
            words.interval(finding).replace(" to ", "-"),
            Text(finding.change, _STYLES.get(finding.change, "")),
        )
    return table
