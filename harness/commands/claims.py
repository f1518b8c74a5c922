"""``dirtyscan claims``: list published figures, and measure whether they hold here."""

import argparse

from harness.commands.cluster import add_cluster
from harness.commands.options import add_toolchains, run_by
from harness.commands.study import add_study_options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Without an action, list the claims; run measures them, all or those named; check times "
        "the variants that stand for published code beside the code itself."
    )
    parser.add_argument("action", nargs="?", choices=("list", "run", "check"), default="list")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--claims",
        metavar="FILE",
        help="a TOML file of claims of your own; default: those that dirtyscan.toml names, "
        "or else those that come with dirtyscan",
    )
    parser.add_argument(
        "--unscaled", action="store_true",
        help="measure on the guests that claims are about, also where that takes long",
    )  # fmt: skip
    parser.add_argument(
        "--upstream", metavar="DIR",
        help="of check: the folder whose dirtyscan.toml says how the code is built, and which "
        "variants it checks",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("table", "markdown"), default="table",
        help="how check prints its table; default: %(default)s",
    )  # fmt: skip
    add_study_options(parser, "claims")
    add_toolchains(parser)
    add_cluster(parser)
    parser.set_defaults(run=run_by("claims_run"))
