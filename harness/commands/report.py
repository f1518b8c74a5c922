"""``dirtyscan report``: show the results of a run, or of several beside each other."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput

PAGE = "report.html"
FORMATS = ("markdown", "csv", "json")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Print the speedups of a run, and draw its plots or write its page; of a folder that a "
        "study has written, its table."
    )
    parser.add_argument("results", nargs="*", default=["results/latest"], metavar="DIR")
    parser.add_argument("--plots", metavar="DIR", help="draw the plots there")
    parser.add_argument(
        "--html", nargs="?", const="", metavar="FILE",
        help=f"write everything to one page that needs no network; default: {PAGE} in the first "
        "DIR",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("table", *FORMATS), default="table",
        help="how to print the speedups, those of several DIR as one document; default: "
        "%(default)s",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    from harness.presentation.console import console
    from harness.report.contents import write_plots
    from harness.report.page import write_page
    from harness.report.pasted import pasted

    folders = [Path(folder) for folder in options.results]
    if options.plots and len(folders) > 1:
        raise BadInput("--plots draws one result; name one, or write a page of several (--html).")
    if options.format == "table":
        _print_tables(folders)
    else:
        print(pasted(folders, options.format), end="")
    told = console(stderr=options.format != "table")
    if options.plots:
        for path in write_plots(folders[0], Path(options.plots)):
            told.print(str(path), soft_wrap=True)
    if options.html is not None:
        path = Path(options.html) if options.html else folders[0] / PAGE
        told.print(f"page: {write_page(folders, path)}", soft_wrap=True)
    return 0


def _print_tables(folders: Sequence[Path]) -> None:
    """Show what a terminal does of each result, and then of all beside each other."""
    from harness.presentation.console import console
    from harness.presentation.table import print_table
    from harness.report.by_cpu import tables_by_cpu
    from harness.report.run_table import results_table
    from harness.report.stored import Stored
    from harness.report.stored_study import stored_study
    from harness.results.result import SPEEDUPS, read_table

    out = console()
    for folder in folders:
        if study := stored_study(folder):
            print_table(study.summary, out)
            continue
        rows = read_table(folder, SPEEDUPS)
        if len(folders) > 1:
            out.print(f"{folder}:", soft_wrap=True)
        out.print(results_table(rows, Stored(folder).environment))
    if len(folders) > 1:
        for table in tables_by_cpu([Stored(folder) for folder in folders]):
            print_table(dataclasses.replace(table, fold=True), out)
