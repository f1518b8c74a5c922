"""``dirtyscan compare``: how much faster one variant is than another."""

import argparse

from harness.commands.options import (
    add_budget,
    add_conditions,
    add_folder,
    add_precision,
    add_resume,
    add_toolchains,
    add_workload_options,
    run_by,
)
from harness.commands.random_maps import add_random_maps
from harness.commands.report import FORMATS
from harness.native.operation import OPERATIONS

BUDGET = 30.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Time two variants in turn, on maps of your choice, and say how much faster B is than A. "
        "By default they are timed on the recorded traces of the letter's conditions, on synthetic "
        "ones for a guest that has none."
    )
    what = "a name (see 'dirtyscan variants'), or the path of a file of your own"
    parser.add_argument("original", metavar="A", help=what)
    parser.add_argument("variant", metavar="B", help=f"{what}, of the same operation")
    parser.add_argument(
        "--operation",
        metavar="NAME",
        help="where both names are known in several: one of " + ", ".join(OPERATIONS),
    )
    add_random_maps(parser, "instead of the conditions unless these are named")
    parser.add_argument(
        "--trace", action="append", default=[], metavar="FILE", help="time them on this trace"
    )
    add_conditions(parser)
    add_toolchains(parser)
    add_precision(parser, "1%", ", as a share of the speedup")
    add_budget(parser, f"time to measure at most; default: {BUDGET:g}")
    add_folder(parser, "--output", "results/compare")
    add_resume(parser, "a comparison that was cut short")
    parser.add_argument(
        "--format", choices=("table", *FORMATS), default="table",
        help="how to print the speedups; default: %(default)s",
    )  # fmt: skip
    add_workload_options(parser)
    parser.set_defaults(run=run_by("compare_run"))
