"""Running ``dirtyscan history``: what it shows and writes."""

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.base.text import shown
from harness.presentation.console import console
from harness.presentation.gate_words import percent
from harness.presentation.style import save
from harness.presentation.table import Column, Table, format_number, format_short, print_table
from harness.report.history import draw_history
from harness.results.changes import (
    CHANGES,
    FEWEST,
    KEYS,
    Change,
    find_changes,
    find_uncompared,
    otava,
)
from harness.results.history import HISTORY, History, gather

STEADY, FELL = 0, 1
_MANY = 5
"""Results that were there twice which are named; the rest are counted."""


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out = console()
    find = otava() if options.changes else None
    history = gather([Path(folder) for folder in options.results])
    rows = history.rows
    if options.variant:
        rows = rows[rows["variant"].isin(options.variant)]
    if rows.empty:
        raise BadInput(f"none of these results has {' or '.join(options.variant) or 'any row'}.")
    _print_results(rows, out)
    _print_doubles(history, out)
    plots = Path(options.plots)
    written = [plots / HISTORY]
    write_text(plots / HISTORY, str(rows.to_csv(index=False)))
    changes: Sequence[Change] = ()
    if find:
        changes = find_changes(rows, find, options.newest)
        names = [field.name for field in dataclasses.fields(Change)]
        table = pd.DataFrame(map(dataclasses.asdict, changes), columns=names)
        write_text(plots / CHANGES, str(table.to_csv(index=False)))
        written.append(plots / CHANGES)
        _print_changes(changes, rows, out)
        _print_uncompared(rows, out)
    for path in (*written, *save(draw_history(rows, changes), plots, "history")):
        out.print(str(path), soft_wrap=True)
    return FELL if any(change.new and change.ratio < 1 for change in changes) else STEADY


def _print_uncompared(rows: pd.DataFrame, out: Console) -> None:
    """Say that the newest result was compared with nothing, also to who reads GitHub's page."""
    for cpu in find_uncompared(rows):
        said = f"the newest result is of {cpu}, of which there are fewer than {FEWEST} yet"
        out.print(f"nothing was compared: {said}", soft_wrap=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            out.print(f"::warning title=nothing was compared::{said}", soft_wrap=True)


def _print_results(rows: pd.DataFrame, out: Console) -> None:
    lines = []
    for (date, folder), group in rows.groupby(["date", "results"], sort=False):
        low, high = format_number(group["speedup"].min()), format_number(group["speedup"].max())
        commit, cpu = group["git_commit"].iloc[0], group["cpu"].iloc[0]
        lines.append((f"{date:%Y-%m-%d %H:%M}", str(commit)[:8], str(cpu), str(folder),
                      str(len(group)), f"{low}-{high}"))  # fmt: skip
    columns = (
        *map(Column, ("measured", "commit", "CPU", "results")),
        Column("rows", right=True),
        Column("speedup", right=True, whole=True),
    )
    print_table(Table(columns, tuple(lines)), out)


def _print_doubles(history: History, out: Console) -> None:
    """Say which results were there twice; of many, how many."""
    for path, first in history.doubles[:_MANY]:
        said = f"{path} is the same result as {first}, and was taken once"
        out.print(shown(said), soft_wrap=True)
    if more := len(history.doubles[_MANY:]):
        out.print(f"and {more} more were there twice, and were taken once", soft_wrap=True)


def _print_changes(changes: Sequence[Change], rows: pd.DataFrame, out: Console) -> None:
    """Say what changed, and with the newest results first of all."""
    new = [change for change in changes if change.new and change.ratio < 1]
    series = rows.groupby(list(KEYS), sort=False).ngroups
    results = rows["date"].nunique()
    said = f"{len(changes)} changes in {series} series of up to {results} results"
    out.print(f"{said}; {len(new)} new falls" if changes else said, soft_wrap=True)
    for change in sorted(changes, key=lambda one: (not one.new, one.date)):
        moved = percent(change.ratio).replace("more", "faster").replace("fewer", "slower")
        alone = ", in the newest result alone" if change.alone else ""
        out.print(
            f"{'new: ' if change.new else ''}{change.variant} ({change.operation}, "
            f"{change.toolchain}) on {change.condition} {change.origin}, {change.cpu}: {moved} "
            f"from {change.date:%Y-%m-%d %H:%M} on ({format_short(change.before)} to "
            f"{format_short(change.after)}{alone}), {change.since}",
            soft_wrap=True,
        )
