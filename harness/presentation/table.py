"""Tables: columns with headings and formats, for a terminal, as Markdown, or in the page."""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import rich.table
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from workloads.random_runs import in_words

Row = Mapping[Hashable, Any]
"""Of a data frame: values by the names of its columns."""
INTERVAL = ("speedup", "speedup_low", "speedup_high")
"""The columns that say how fast a variant is."""
STYLES: Mapping[str, str] = {
    "reproduced": "green",
    "in part": "yellow",
    "stronger": "cyan",
    "weaker": "yellow",
    "contradicted": "red",
    "undecided": "magenta",
    "not measured": "dim",
}
"""How a terminal shows a cell that is a verdict."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: its heading, and what makes its cells of rows."""

    head: str
    of: str | Callable[[Row], str] = ""
    """What makes a cell of a row, or the name of the value that it shows; empty if that is called
    as the heading is."""
    right: bool = False
    """Whether cells are aligned at their right, as figures are."""
    whole: bool = False
    """Whether a terminal keeps cells in one line."""

    def cell(self, row: Row) -> str:
        """Return the cell of ``row``."""
        return self.of(row) if callable(self.of) else _plain(row[self.of or self.head])


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns and their cells, however they will be shown."""

    columns: tuple[Column, ...]
    lines: tuple[tuple[str, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    """Sentences below it."""
    fold: bool = False
    """Whether a narrow terminal breaks words, rather than to set a line out as a paragraph."""


def make_table(
    columns: Sequence[Column], rows: pd.DataFrame | Sequence[Mapping[Any, Any]], title: str = ""
) -> Table:
    """Return a table with a line for each of ``rows``."""
    records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    lines = (tuple(column.cell(row) for column in columns) for row in records)
    return Table(tuple(columns), tuple(lines), title)


def plain_columns(*names: str | tuple[str, str]) -> tuple[Column, ...]:
    """Return columns of values as they are: (heading, name), or both in one."""
    return tuple(Column(*((name,) if isinstance(name, str) else name)) for name in names)


def table_by_name(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """Return a table whose first column says what a line is of, and whose others are figures."""
    columns = [
        Column(head, right=number > 0, whole=number == 0) for number, head in enumerate(heads)
    ]
    return Table(tuple(columns), tuple(map(tuple, lines)), title)


class _Fitting(rich.table.Table):
    """A table that becomes a paragraph a line where its columns do not fit, rather than cut any."""

    def __init__(self, may_break: bool, **options: Any) -> None:
        """Make an empty one; ``may_break`` says whether words may be broken instead."""
        super().__init__(**options)
        self._may_break = may_break

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show it as wide as there is room."""
        if self._may_break or sum(map(_least_width, self.columns)) <= options.max_width + 1:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title), "italic")
        for number in range(self.row_count):
            yield self._paragraph([list(column.cells)[number] for column in self.columns])

    def _paragraph(self, cells: Sequence[RenderableType]) -> Padding:
        """Return a line's cells behind each other, each behind its heading."""
        parts = [_as_text(cells[0])]
        for column, cell in zip(self.columns[1:], map(_as_text, cells[1:]), strict=True):
            if cell.plain:
                head = " ".join(_as_text(column.header).plain.split())
                parts.append(Text(f"{head} " if head else "") + cell)
        return Padding(Text("; ").join(parts), (0, 0, 0, 2))


def _as_text(cell: RenderableType) -> Text:
    """Return a cell, which is text in all tables here."""
    return cell if isinstance(cell, Text) else Text(str(cell))


def _least_width(column: rich.table.Column) -> int:
    """Return how many characters a column takes if no word is broken, and a space behind it."""
    texts = [_as_text(cell).plain for cell in (column.header, *column.cells)]
    whole = column.no_wrap
    parts = [part for text in texts for part in (text.split("\n") if whole else text.split())]
    return 1 + max(map(cell_len, parts), default=0)


def for_terminal(table: Table) -> rich.table.Table:
    """Return ``table`` as rich prints it, without its notes."""
    made = _Fitting(
        table.fold, title=table.title or None, title_justify="left", box=None, pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    for column in table.columns:
        made.add_column(
            Text(column.head),
            justify="right" if column.right else "left",
            no_wrap=column.whole,
            overflow="fold",
        )
    for line in table.lines:
        made.add_row(*(Text(cell, _style(cell)) for cell in line))
    return made


def _style(cell: str) -> str:
    """Return the style of a verdict, or of a cell that ends with one."""
    return next((style for verdict, style in STYLES.items() if cell.endswith(verdict)), "")


def print_table(table: Table, out: Console) -> None:
    """Print ``table`` and its notes."""
    out.print(for_terminal(table))
    for note in table.notes:
        out.print(Text(note), soft_wrap=True)


def as_markdown(table: Table) -> str:
    """Return ``table`` as Markdown, in which nothing of its cells is markup."""
    lines = [
        [column.head for column in table.columns],
        *([re.sub(r"([|\\`*_<])", r"\\\1", cell) for cell in line] for line in table.lines),
    ]
    text = [f"| {' | '.join(line)} |\n" for line in lines]
    text.insert(1, f"|{'|'.join('--:' if column.right else '---' for column in table.columns)}|\n")
    return "".join(text)


def as_data(rows: pd.DataFrame, form: str) -> str:
    """Return ``rows`` for another program: ``csv`` or ``json``."""
    if form == "csv":
        return str(rows.to_csv(index=False))
    return (
        json.dumps(json.loads(rows.to_json(orient="records", double_precision=15)), indent=1) + "\n"
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else format_short(value) if value < 1000 else f"{value:,.0f}"
    return str(value)


def format_number(value: float) -> str:
    """Write a speedup with three digits, from 1000 on all of those before the point."""
    if value >= 1000:
        return f"{value:.0f}"
    return format_short(value) if value < 9.995 else f"{value:.{2 if value < 100 else 1}f}"


def format_short(value: float) -> str:
    """Write a speedup or a share in at most five characters, or in as many as it takes to see it.

    What is not 0 is never written as 0.00.
    """
    if 0 < value < 0.0995:
        return f"{value:.{max(3, math.ceil(-math.log10(value)))}f}"
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def format_range(low: float, high: float) -> str:
    """Write a range of speedups with two digits, whole numbers as such."""
    return "-".join(f"{value:.2g}" if value < 99.5 else f"{value:.0f}" for value in (low, high))


def short_interval(row: Row) -> str:
    """Write the interval of a row's speedup."""
    return f"{format_short(row['speedup_low'])} to {format_short(row['speedup_high'])}"


def trace_name(row: Row) -> str:
    """Return what a row's trace is called: its condition and origin, or what random maps it has."""
    return in_words(row["condition"]) or f"{row['condition']} {row['origin']}"


def claimed_range(row: Row) -> str:
    """Write the range that the letter claims; empty without a claim, which is NaN."""
    claimed = row["claim_low"] == row["claim_low"]
    return f"{row['claim_low']:.3g} to {row['claim_high']:.3g}" if claimed else ""
