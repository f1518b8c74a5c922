"""``dirtyscan history``: plot speedups over many stored results, and find what changed."""

import argparse

from harness.commands.options import add_folder, add_names, positive, run_by


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Put the speedups of several results beside each other, oldest first, with "
        "the time, commit and machine of each. Exit status with --changes: 1 if a speedup fell "
        "with the newest result."
    )
    parser.add_argument(
        "results",
        nargs="+",
        metavar="DIR",
        help="a result, also a packed one, or a folder that holds some",
    )
    add_names(parser, "--variant", "only this one")
    parser.add_argument(
        "--changes", action="store_true",
        help="find where a speedup became another, by trace, variant, toolchain and CPU (needs "
        "Apache Otava)",
    )  # fmt: skip
    parser.add_argument(
        "--newest", type=positive(int, "a whole number above 0", 0), default=1, metavar="COUNT",
        help="results, the last ones, with which a change is new; default: %(default)s",
    )  # fmt: skip
    add_folder(parser, "--plots", "plots")
    parser.set_defaults(run=run_by("history_run"))
