"""``dirtyscan claims``: list published figures, and measure whether they hold here."""

import argparse

from harness.commands.options import (
    SECONDS,
    positive,
    run_by,
    seconds,
    share,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Without an action, list the claims; run measures them, all or those named."
    )
    parser.add_argument("action", nargs="?", choices=("list", "run"), default="list")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--claims", metavar="FILE", help="a TOML file of claims of your own")
    parser.add_argument(
        "--budget", type=positive(seconds, SECONDS, 0.0), default=70.0,
        metavar="SECONDS", help="for the claims of one original; default: %(default)g",
    )  # fmt: skip
    parser.add_argument(
        "--precision", type=positive(share, "a share above 0 such as 1%", 0.0), default=0.01,
        metavar="SHARE", help="half-width of an interval that is good enough; default: 1%%",
    )  # fmt: skip
    parser.add_argument(
        "--unscaled", action="store_true",
        help="measure on the guests that claims are about, also where that takes long",
    )  # fmt: skip
    parser.add_argument("--output", default="results/claims", metavar="DIR",
                        help="default: %(default)s")  # fmt: skip
    parser.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run_by("claims_run"))
