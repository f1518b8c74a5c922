"""One variant against another, map by map: nobody's claim, and no verdict."""

import math
from collections.abc import Sequence

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from harness.base.text import sentence
from harness.base.units import format_size
from harness.presentation.quiet import quiet_notes
from harness.presentation.table import (
    Column,
    Row,
    as_data,
    as_markdown,
    for_terminal,
    format_number,
    format_short,
    make_table,
    trace_name,
)
from harness.results.speedups import half_width

_PASTED = (
    *("condition", "origin", "guest_memory_bytes", "operation", "original", "original_toolchain"),
    *("variant", "toolchain", "speedup", "speedup_low", "speedup_high"),
    *("placement_low", "placement_high", "original_seconds", "variant_seconds", "stopped"),
    *("slowed", "quiet_speedup", "quiet_low", "quiet_high"),
)
_MOST_DIGITS = 4
"""Behind the point of a ratio."""


def _interval(row: Row) -> str:
    return f"{format_number(row['speedup_low'])} to {format_number(row['speedup_high'])}"


def _with_mark(row: Row) -> str:
    return f"{'!' if row['stopped'] == 'budget' else ''}{_interval(row)}"


def _placements(row: Row) -> str:
    if math.isnan(row["placement_low"]):
        return "not varied"
    return f"{format_short(row['placement_low'])} to {format_short(row['placement_high'])}"


def _time(head: str, name: str) -> Column:
    def cell(row: Row) -> str:
        seconds = float(row[name])
        unit, factor = ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
        return f"{seconds * factor:.3g} {unit}"

    return Column(head, cell, right=True, whole=True)


_COLUMNS = (
    Column("map", trace_name),
    _time("A", "original_seconds"),
    _time("B", "variant_seconds"),
    Column("speedup", lambda row: format_number(row["speedup"]), right=True, whole=True),
    Column("95 %", _with_mark, right=True, whole=True),
    Column("placements", _placements, right=True, whole=True),
)
_MARKDOWN = (
    _COLUMNS[0],
    Column("A", lambda row: f"{row['original']} ({row['original_toolchain']})"),
    Column("B", lambda row: f"{row['variant']} ({row['toolchain']})"),
    _COLUMNS[3],
    Column("95 %", _interval, right=True),
    _COLUMNS[5],
)


def comparison_table(rows: pd.DataFrame) -> Group:
    """Return the rows of one ``speedups.csv`` as a table for each pair of toolchains.

    It fits a terminal of 80 columns, and ends with what it says in a sentence.
    """
    parts: list[RenderableType] = []
    for _, group in rows.groupby(["original_toolchain", "toolchain"], sort=False):
        first = group.to_dict("records")[0]
        parts += [
            Text(f"A: {first['original']} ({first['original_toolchain']})"),
            Text(f"B: {first['variant']} ({first['toolchain']})"),
            Text(f"guest: {', '.join(map(format_size, group['guest_memory_bytes'].unique()))}"),
            for_terminal(make_table(_COLUMNS, group)),
            *(Text(f"! {note}") for note in quiet_notes(group, verdicts=False)),
            Text(f"{_budget_note(group)}{said(group)}\n"),
        ]
    return Group(*parts)


def comparison_text(rows: pd.DataFrame, form: str) -> str:
    """Return the rows of one ``speedups.csv`` to paste: ``markdown``, ``csv`` or ``json``."""
    if form != "markdown":
        return as_data(rows[list(_PASTED)], form)
    groups = rows.groupby(["original_toolchain", "toolchain"], sort=False)
    told: list[str] = []
    for _, group in groups:
        told += [*map(sentence, quiet_notes(group, verdicts=False)), said(group)]
    return as_markdown(make_table(_MARKDOWN, rows)) + "".join(f"\n{one}\n" for one in told)


def said(rows: pd.DataFrame) -> str:
    """Say in a sentence how much faster one variant is than another, over the maps in ``rows``.

    On a single map with its interval, on several with the least and the greatest.
    """
    records = rows.to_dict("records")
    first = records[0]
    if len(records) == 1:
        how = _ratio(first) or f"no faster or slower than {_name(first, 'original')}"
        than = f" than {_name(first, 'original')}" if _ratio(first) else ""
        return f"{_name(first, 'variant')} is {how}{than} on {trace_name(first)}."
    return f"{_name(first, 'variant')} against {_name(first, 'original')}: {_counted(records)}."


def _name(row: Row, whose: str) -> str:
    """Return the name of a side; with its toolchain too, if both are called the same."""
    toolchain = row["toolchain" if whose == "variant" else "original_toolchain"]
    return f"{row[whose]} ({toolchain})" if row["original"] == row["variant"] else str(row[whose])


def _ratio(row: Row) -> str:
    """Write how much faster or slower B is, within its interval; empty if neither is known."""
    value, low, high = (float(row[name]) for name in ("speedup", "speedup_low", "speedup_high"))
    if low <= 1 <= high:
        return ""
    way = "faster"
    if high < 1:
        way, value, low, high = "slower", 1 / value, 1 / high, 1 / low
    reach = max(high - value, value - low)
    if not math.isfinite(reach):  # of a single process
        return f"{format_number(value)} times {way}"
    # One digit of the reach, two if the first is a 1; rounded up, so that the interval is in it.
    digits = -math.floor(math.log10(reach / 2)) if reach else _MOST_DIGITS
    digits = max(0, min(_MOST_DIGITS, digits))
    shown = round(value, digits)
    wide = math.ceil(max(high - shown, shown - low) * 10**digits - 1e-6) / 10**digits
    return f"{shown:.{digits}f} ± {wide:.{digits}f} times {way}"


def _counted(records: Sequence[Row]) -> str:
    """Say on how many maps B is faster, slower or neither, and by how much."""
    parts = []
    faster = [row["speedup"] for row in records if row["speedup_low"] > 1]
    slower = [1 / row["speedup"] for row in records if row["speedup_high"] < 1]
    for ratios, way in ((faster, "faster"), (slower, "slower")):
        if ratios:
            parts.append(f"{way} on {len(ratios)} of {len(records)} maps, {_span(ratios)} times")
    if neither := len(records) - len(faster) - len(slower):
        parts.append(f"neither faster nor slower for certain on {neither} of {len(records)}")
    return "; ".join(parts)


def _span(ratios: Sequence[float]) -> str:
    low, high = (format_short(one) for one in (min(ratios), max(ratios)))
    return low if low == high else f"{low} to {high}"


def _budget_note(rows: pd.DataFrame) -> str:
    """Say that time ran out before the intervals were as narrow as asked for; empty otherwise."""
    vague = [row for row in rows.to_dict("records") if row["stopped"] == "budget"]
    known = [half_width(row) for row in vague if row["speedup_low"] > 0]
    worst = f" (worst ±{max(known):.1%})" if known else ""
    sentence = f"! not as precise as asked for{worst}: the time budget was spent\n"
    return sentence if vague else ""
