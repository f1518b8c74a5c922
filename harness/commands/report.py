"""``dirtyscan report``: draw the results of a run."""

import argparse
from pathlib import Path

from harness.presentation.report import write_report
from harness.presentation.table import console, results_table
from harness.statistics.results import SPEEDUPS, read_table


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("report", help="draw the results of a run")
    parser.add_argument("results", nargs="?", default="results/latest", metavar="DIR")
    parser.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out = console()
    results = Path(options.results)
    rows = read_table(results, SPEEDUPS)
    written = write_report(results, Path(options.plots))
    out.print(results_table(rows))
    for path in written:
        out.print(str(path), soft_wrap=True)
    return 0
