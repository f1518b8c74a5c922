"""``dirtyscan gate``: did a variant get slower?"""

import argparse
from pathlib import Path

from harness.base.units import parse_share
from harness.commands.cluster import add_cluster
from harness.commands.options import (
    add_budget,
    add_conditions,
    add_seed,
    add_toolchains,
    positive,
    run_by,
)
from harness.presentation.gate_formats import FORMATS

BUDGET = 40.0
_EVIDENCE = {
    "--merge-base": "take the commit at which the working tree's history has left the revision of "
    "--against, so that what was done there since does not count",
    "--instructions": "count instructions under valgrind: against --against, or else the reference",
    "--untimed": "do not time against --against, but count --instructions alone",
    "--requirements": "check the requirements in [tool.dirtyscan.gate] of pyproject.toml",
}
_REFERENCE = {
    "--update": "make the reference anew, in the folder of --baseline or that of this CPU",
    "--lower-requirements": "allow --update to take over requirements that are lower than before",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Compare variants with a stored reference, another revision, or what the "
        "project requires; without options, with the reference and the requirements. Exit status: "
        "0 nothing got slower; 1 something did, or went astray; 2 bad input; 3 undecided, or "
        "nothing was compared."
    )
    evidence = parser.add_argument_group("evidence")
    evidence.add_argument(
        "--baseline", nargs="*", metavar="DIR",
        help="time against this stored reference, or that one of several which fits this CPU; "
        "default: those in results/*-gate",
    )  # fmt: skip
    evidence.add_argument(
        "--against", nargs="+", default=[], metavar="REV",
        help="time the variants that dirtyscan.toml names, or the files behind --, against those "
        "of this git revision, in the same processes (in dirtyscan's own clone, its own "
        "variants); or, given two, one file against another (old.c new.c)",
    )  # fmt: skip
    for name, what in _EVIDENCE.items():
        evidence.add_argument(name, action="store_true", help=what)
    evidence.add_argument(
        "--require", action="append", default=[], metavar="TEXT",
        help="check this too, such as 'cond1 multi_page >= 8'",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", metavar="SHARE",
        type=positive(parse_share, "a share above 0 such as 5%", 0.0),
        help="loss of speed that is let pass; default: 5%% of a reference, 1%% of a revision or "
        "of instructions",
    )  # fmt: skip
    parser.add_argument(
        "--undecided", choices=("fail", "pass"),
        help="exit with 1 or 0 where the gate cannot decide; default: 3",
    )  # fmt: skip
    add_conditions(parser)
    add_toolchains(parser)
    parser.add_argument(
        "--even-unchanged", action="store_true",
        help="also time variants that have compiled to the same code as before",
    )  # fmt: skip
    add_budget(parser, f"time to measure each kind of evidence; default: {BUDGET:g}")
    add_seed(parser)
    parser.add_argument(
        "--settings", type=Path, metavar="FILE",
        help="where [tool.dirtyscan.gate] is; default: pyproject.toml, if it is there",
    )  # fmt: skip
    for name, form in FORMATS.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=f"also write {form.what}")
    add_cluster(parser)
    reference = parser.add_argument_group("reference")
    for name, what in _REFERENCE.items():
        reference.add_argument(name, action="store_true", help=what)
    parser.epilog = "What stands behind -- are files of variants, for --against with a revision."
    parser.set_defaults(run=run_by("gate_run"), takes_arguments=True)
