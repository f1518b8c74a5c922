"""The table of a run in a terminal, 80 columns wide."""

from collections.abc import Mapping
from math import isnan

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.native.dirty_map import ARRAYS
from harness.results.limits import Limits, find_limits
from harness.results.speedups import half_width

STYLES: Mapping[str, str] = {
    "reproduced": "green",
    "stronger": "cyan",
    "weaker": "yellow",
    "contradicted": "red",
    "undecided": "magenta",
    "not measured": "dim",
}
_SPACING = {"box": None, "pad_edge": False, "padding": (0, 1, 0, 0)}
_MOST_AS_ROWS = 3
"""Variants that get a row a trace; more are set out as variants against traces."""
_TRACES = 8
"""Columns of traces that fit beside the variants' names."""
_ORIGINS = {"synthetic": "syn", "captured": "cap", "imported": "imp"}


def format_number(value: float) -> str:
    """Write a speedup with three digits, from 1000 on all of those before the point."""
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def format_short(value: float) -> str:
    """Write a speedup in at most five characters."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def format_range(low: float, high: float) -> str:
    """Write a range of speedups with two digits, whole numbers as such."""
    return "-".join(f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in (low, high))


def results_table(rows: pd.DataFrame) -> Group:
    """Return the rows of one ``speedups.csv`` as tables for a terminal of 80 columns."""
    parts: list[RenderableType] = []
    for toolchain, group in rows.groupby("original_toolchain", sort=False):
        measured = group[~group["noise_floor"]]
        few = measured["variant"].nunique() <= _MOST_AS_ROWS
        title = f"speedup of one call, {toolchain}"
        parts += [_rows_table(title, measured)] if few else _ladder(title, measured)
        parts += [_noise_floor(group[group["noise_floor"]])]
    vague = rows[rows["stopped"] == "budget"]
    if len(vague):
        worst = max(map(half_width, vague.to_dict("records")))
        sentence = f"not as precise as asked for (worst ±{worst:.1%}): the time budget was spent"
        parts.append(Text(f"! {sentence}"))
    return Group(*parts)


def _rows_table(title: str, rows: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left", **_SPACING)  # type: ignore[arg-type]
    table.add_column("trace")
    table.add_column("variant")
    for name in ("speedup", "95 %", "snapshots", "claimed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows.to_dict("records"):
        flag = "!" if row["stopped"] == "budget" else ""
        claimed = row["claim_low"] == row["claim_low"]  # a missing claim is NaN
        paid = bool(row["paid_in"])
        table.add_row(
            f"{row['condition']} {row['origin']}",
            Text(row["variant"]),
            "" if paid else format_number(row["speedup"]),
            "" if paid else f"{flag}±{half_width(row):.2%}",
            "" if paid else format_range(row["snapshot_speedup_min"], row["snapshot_speedup_max"]),
            format_range(row["claim_low"], row["claim_high"]) if claimed else "",
            Text(row["verdict"], STYLES.get(row["verdict"], "")) if claimed else "",
        )
    return table


def _ladder(title: str, rows: pd.DataFrame) -> list[RenderableType]:
    """Return variants against traces, with how near each comes to its limit."""
    rows = rows.assign(trace=rows["condition"] + " " + rows["origin"].map(_ORIGINS))
    traces = list(dict.fromkeys(rows["trace"]))
    limits = find_limits(rows)
    parts: list[RenderableType] = []
    for first in range(0, len(traces), _TRACES):
        chosen = traces[first : first + _TRACES]
        table = Table(title=title, title_justify="left", **_SPACING)  # type: ignore[arg-type]
        table.add_column("variant", no_wrap=True)
        for trace in chosen:
            table.add_column(trace.replace(" ", "\n"), justify="right", no_wrap=True)
        table.add_column("of\nlimit", justify="right", no_wrap=True)
        for kind in ARRAYS:
            _add_kind(table, kind, rows[rows["map"] == kind], chosen, limits)
        parts.append(table)
    return [*parts, *(Text(f"! {fault}") for fault in limits.faults)]


_INDENT = "  "


def _add_kind(
    table: Table, kind: str, rows: pd.DataFrame, traces: list[str], limits: Limits
) -> None:
    """Add the variants of one representation."""
    if rows.empty:
        return
    table.add_row(Text(f"{kind}:", "dim"))
    for variant, group in rows.groupby("variant", sort=False):
        by_trace = {row["trace"]: row for row in group.to_dict("records")}
        cells: list[str] = []
        for trace in traces:
            row = by_trace.get(trace)
            if row is None or row["paid_in"]:
                cells.append("")
                continue
            cells.append(format_short(row["speedup"]))
        paid = group["paid_in"].iloc[0]
        share = limits.share(str(variant), str(group["original_toolchain"].iloc[0]))
        table.add_row(f"{_INDENT}{variant}", *cells, "" if isnan(share) else f"{share:.2f}")
        if paid:
            table.add_row(Text(f"{_INDENT}(paid in {paid})", "dim"))


def _noise_floor(rows: pd.DataFrame) -> Text:
    if rows.empty:
        return Text("")
    low, high = rows["speedup"].min(), rows["speedup"].max()
    original = rows["original"].iloc[0]
    return Text(f"noise floor: {original} against itself gave {low:.4f} to {high:.4f}\n")
