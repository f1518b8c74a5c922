"""``dirtyscan results``: results as files that are given and taken."""

import argparse

from harness.commands.options import run_by


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    pack = actions.add_parser(
        "pack", help="make one file of a result, without what names this machine and its user"
    )
    pack.add_argument("result", metavar="DIR")
    pack.add_argument("-o", "--output", metavar="FILE", help="NAME.zip; default: as the folder")
    pack.set_defaults(run=run_by("results_run", "run_pack"))

    check = actions.add_parser(
        "verify", help="check results, in folders or packed: hashes, samples, counts, noise floors"
    )
    check.description = (
        "Exit status: 0 all hold; 1 something in one is wrong; 2 one is damaged, or is none."
    )
    check.add_argument("results", nargs="+", metavar="FILE_OR_DIR")
    check.set_defaults(run=run_by("results_run", "run_verify"))

    unpack = actions.add_parser("unpack", help="make a folder of a packed result")
    unpack.add_argument("pack", metavar="FILE")
    unpack.add_argument(
        "-o", "--output", metavar="DIR", help="default: what the result is called, in results"
    )
    unpack.set_defaults(run=run_by("results_run", "run_unpack"))
