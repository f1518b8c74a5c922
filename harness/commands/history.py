"""``dirtyscan history``: plot speedups over many stored results."""

import argparse
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.commands.options import add_folder, add_names


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Put the speedups of several results beside each other, oldest first, with "
        "the time, commit and machine of each."
    )
    parser.add_argument("results", nargs="+", metavar="DIR")
    add_names(parser, "--variant", "only this one")
    add_folder(parser, "--plots", "plots")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    from harness.presentation.console import console
    from harness.presentation.style import save
    from harness.presentation.table import Column, Table, format_number, print_table
    from harness.report.history import draw_history
    from harness.results.history import HISTORY, read_history

    out = console()
    rows = read_history([Path(folder) for folder in options.results])
    if options.variant:
        rows = rows[rows["variant"].isin(options.variant)]
    if rows.empty:
        raise BadInput(f"none of these results has {' or '.join(options.variant) or 'any row'}.")
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
    plots = Path(options.plots)
    write_text(plots / HISTORY, str(rows.to_csv(index=False)))
    for path in (plots / HISTORY, *save(draw_history(rows), plots, "history")):
        out.print(str(path), soft_wrap=True)
    return 0
