"""The table of a run: for a terminal of 80 columns, or as text to paste."""

from collections.abc import Mapping
from math import isnan
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from harness.base.text import sentence
from harness.native.dirty_map import ARRAYS
from harness.presentation.quiet import quiet_notes
from harness.presentation.table import (
    Column,
    Row,
    Table,
    as_data,
    as_markdown,
    claimed_range,
    for_terminal,
    format_number,
    format_range,
    format_short,
    make_table,
    trace_name,
)
from harness.report.placement import (
    mark,
    placement_notes,
    placement_range,
    unvaried_note,
    verdict_on,
    verdict_with_share,
)
from harness.results.environment import before_each
from harness.results.limits import Limits, find_limits
from harness.results.speedups import half_width, misses_one, named_apart

_MOST_AS_ROWS = 3
"""Variants that get a row a trace; more are set out as variants against traces."""
_TRACES = 8
"""Columns of traces that fit beside the variants' names."""
_ORIGINS = {"synthetic": "syn", "recorded": "rec", "captured": "cap", "imported": "imp"}
_PASTED = (
    *("condition", "origin", "variant", "toolchain", "speedup", "speedup_low", "speedup_high"),
    *("claim_low", "claim_high", "verdict", "placement_low", "placement_high", "verdict_share"),
    *("calls_low", "calls_high", "calls_below", "calls_within", "calls_above", "remark"),
    *("slowed", "quiet_speedup", "quiet_low", "quiet_high", "quiet_verdict"),
)


def with_toolchain(row: Row) -> str:
    """Return a row's variant, and what compiled it."""
    return f"{row['variant']} ({row['toolchain']})"


def _unless_paid(row: Row, text: str) -> str:
    return "" if row["paid_in"] else text


def _speedup(row: Row) -> str:
    return _unless_paid(row, f"{mark(row)}{format_number(row['speedup'])}")


def _reach(row: Row) -> str:
    flag = "!" if row["stopped"] == "budget" else ""
    return _unless_paid(row, f"{flag}±{half_width(row):.2%}")


def _calls(row: Row) -> str:
    return _unless_paid(row, usual_calls(row))


def usual_calls(row: Row) -> str:
    """Write the range of single calls, a twentieth left out at either end; empty if unknown."""
    known = row["calls_low"] == row["calls_low"]
    return format_range(row["calls_low"], row["calls_high"]) if known else ""


def calls_inside(row: Row) -> str:
    """Write where single calls lie as seen from the claimed range; empty without one."""
    if not claimed_range(row) or isnan(row["calls_within"]):
        return ""
    sides = ((row[f"calls_{side}"], side) for side in ("below", "above"))
    others = ", ".join(f"{share:.0%} {side}" for share, side in sides if share >= 0.005)
    inside = f"{row['calls_within']:.0%}"
    return f"{inside} ({others})" if others else inside


def _inside(row: Row) -> str:
    known = claimed_range(row) and not isnan(row["calls_within"])
    return f"{row['calls_within']:.0%}" if known else ""


def verdict_with_remark(row: Row) -> str:
    """Return the verdict with what is to be said beside it."""
    said = verdict_with_share(row)
    return f"{said}, {row['remark']}" if row["remark"] and said else said


def _claimed(row: Row) -> str:
    return format_range(row["claim_low"], row["claim_high"]) if claimed_range(row) else ""


_TRACE = Column("trace", trace_name)
_MEASURED = (
    _TRACE,
    Column("variant"),
    Column("speedup", _speedup, True, True),
    Column("95 %", _reach, True, True),
    Column("calls", _calls, True, True),
)
_COLUMNS = (
    *_MEASURED,
    Column("claimed", _claimed, True, True),
    Column("inside", _inside, True, True),
    Column("verdict", verdict_on, whole=True),
)
_MARKDOWN = (
    _TRACE,
    Column("variant", with_toolchain),
    Column("speedup", lambda row: format_number(row["speedup"]), right=True),
    Column(
        "95 %",
        lambda row: f"{format_number(row['speedup_low'])} to {format_number(row['speedup_high'])}",
        right=True,
    ),
    Column("placements", placement_range, right=True),
    Column("nine tenths of calls", usual_calls, right=True),
    Column("claimed", claimed_range, right=True),
    Column("calls inside", calls_inside, right=True),
    Column("verdict", verdict_with_remark),
)


def results_table(rows: pd.DataFrame, environment: Mapping[str, Any] | None = None) -> Group:
    """Return the rows of one ``speedups.csv`` as tables for a terminal of 80 columns.

    Args:
        environment: what they were measured with, if that is known: cc is the name of many
            compilers, and ratios are as much theirs.
    """
    made = environment["toolchains"] if environment else ()
    versions = {one["name"]: one["version"] for one in made}
    parts: list[RenderableType] = []
    for toolchain, group in rows.groupby("original_toolchain", sort=False):
        group = named_apart(group)
        measured = group[~group["noise_floor"]]
        title = f"speedup of one call, {toolchain}"
        if version := versions.get(toolchain):
            title += f" ({version})"
        if measured["variant"].nunique() <= _MOST_AS_ROWS:
            columns = _COLUMNS if measured["claim_low"].notna().any() else _MEASURED
            parts.append(for_terminal(make_table(columns, measured, title)))
        else:
            parts += _ladder(title, measured)
        for note in (*calls_notes(measured), *placement_notes(group), unvaried_note(group)):
            parts += [Text(note)] if note else []
        floor = noise_floor(group)
        parts.append(Text(f"noise floor: {floor}\n" if floor else ""))
    if environment and (before := before_each(environment)):
        parts.append(Text(f"each call {before}"))
    parts += [Text(f"! {note}") for note in quiet_notes(rows)]
    vague = rows[rows["stopped"] == "budget"]
    if len(vague):
        worst = max(map(half_width, vague.to_dict("records")))
        spent = f"not as precise as asked for (worst ±{worst:.1%}): the time budget was spent"
        parts.append(Text(f"! {spent}"))
    return Group(*parts)


def calls_notes(rows: pd.DataFrame) -> list[str]:
    """Say where calls outside their claimed range lie, and which ranges are narrower than it."""
    records = rows.to_dict("records")
    outside = [f"{trace_name(row)} {inside[inside.index('(') + 1 : -1]}"
               for row in records if "(" in (inside := calls_inside(row))]  # fmt: skip
    notes = [f"calls outside the claimed range: {'; '.join(outside)}"] if outside else []
    for said in dict.fromkeys(row["remark"] for row in records if row["remark"]):
        named = [trace_name(row) for row in records if row["remark"] == said]
        notes.append(f"{said}: {', '.join(named)}")
    return notes


def results_text(rows: pd.DataFrame, form: str) -> str:
    """Return the rows of one ``speedups.csv``, noise floors left out.

    Args:
        form: ``markdown``, ``csv`` or ``json``.
    """
    every, rows = rows, rows[~rows["noise_floor"]]
    if form == "markdown":
        floor = noise_floor(every)
        said = [*([f"Noise floor: {floor}"] if floor else []), *quiet_notes(rows)]
        return as_markdown(make_table(_MARKDOWN, rows)) + "".join(
            f"\n{sentence(note)}\n" for note in said
        )
    return as_data(shared_rows(every), form)


def shared_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows and columns of one ``speedups.csv`` that another program is given."""
    return rows.loc[~rows["noise_floor"], list(_PASTED)]


def _ladder(title: str, rows: pd.DataFrame) -> list[RenderableType]:
    """Return variants against traces, with how near each comes to its limit."""
    shortened = rows.assign(origin=rows["origin"].map(_ORIGINS)).to_dict("records")
    rows = rows.assign(trace=[trace_name(row) for row in shortened])
    traces = list(dict.fromkeys(rows["trace"]))
    limits = find_limits(rows)
    parts: list[RenderableType] = []
    for first in range(0, len(traces), _TRACES):
        chosen = traces[first : first + _TRACES]
        heads = [
            Column(head.replace(" ", "\n"), right=True, whole=True)
            for head in (*chosen, "of limit")
        ]
        table = for_terminal(Table((Column("variant", whole=True), *heads), (), title))
        for kind in ARRAYS:
            of_kind = rows[rows["map"] == kind]
            if len(of_kind):
                table.add_row(Text(f"{kind}:", "dim"))
            for variant, group in of_kind.groupby("variant", sort=False):
                table.add_row(*_ladder_line(str(variant), group, chosen, limits))
                if paid := group["paid_in"].iloc[0]:
                    table.add_row(Text(f"  (paid in {paid})", "dim"))
        parts.append(table)
    return [*parts, *(Text(f"! {fault}") for fault in limits.faults)]


def _ladder_line(variant: str, rows: pd.DataFrame, traces: list[str], limits: Limits) -> list[str]:
    cells = {row["trace"]: _unless_paid(row, mark(row) + format_short(row["speedup"]))
             for row in rows.to_dict("records")}  # fmt: skip
    share = limits.share(variant, str(rows["original_toolchain"].iloc[0]))
    of_limit = "" if isnan(share) else format_short(share)
    return [f"  {variant}", *(cells.get(trace, "") for trace in traces), of_limit]


def noise_floor(rows: pd.DataFrame) -> str:
    """Say what the original gave against itself; empty if it was not measured."""
    rows = rows[rows["noise_floor"]]
    if rows.empty:
        return ""
    low, high = rows["speedup"].min(), rows["speedup"].max()
    said = f"{rows['original'].iloc[0]} against itself gave {low:.4f} to {high:.4f}"
    if missed := [trace_name(row) for row in rows.to_dict("records") if misses_one(row)]:
        said += f"; that is not 1 on {', '.join(missed)}: verdicts there may be the machine's"
    return said
