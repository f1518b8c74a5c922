"""``dirtyscan study``: measure over a range of maps, of sizes, or of compilers."""

import argparse
from collections.abc import Mapping
from typing import Any

from harness.commands.options import (
    SECONDS,
    positive,
    run_by,
    seconds,
    share,
)
from harness.studies import Question, questions
from workloads.draws import DEFAULT_SEED


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="STUDY")
    each = {}
    for name, question in questions().items():
        if not question.command:
            each[name] = actions.add_parser(name, help=question.text, description=question.text)
            add_study_options(each[name], name)
            each[name].set_defaults(run=run_by("study_run"))
    what = "every study, one after the other, each as by default"
    every = actions.add_parser("all", help=what, description=f"{what.capitalize()}.")
    every.add_argument(
        "--output", default="results/{study}", metavar="DIR",
        help="default: %(default)s; {study} stands for the name of each, also in --plots",
    )  # fmt: skip
    every.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    every.set_defaults(run=run_by("study_run", "run_all"), parsers=each)


def add_study_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of the study ``name``; those that it has not have their defaults."""
    question = questions()[name]
    offered = {*question.options, "output", *(["guest-memory"] if question.sizes else [])}
    for option, described in _options(name, question).items():
        if option in offered:
            parser.add_argument(f"--{option}", **described)
        else:
            parser.set_defaults(**{option.replace("-", "_"): described.get("default")})
    parser.set_defaults(study=name)


def _options(name: str, question: Question) -> Mapping[str, Mapping[str, Any]]:
    several = {"action": "append", "default": [], "metavar": "NAME"}
    each = f"for {question.budget_for}; " if question.budget_for else ""
    return {
        "variant": {**several, "help": "a name or path, as for 'dirtyscan bench'"},
        "toolchain": several,
        "operation": {**several, "help": "default: all"},
        "guest-memory": {**several, "metavar": "SIZE", "help": question.sizes},
        "precision": {
            "type": positive(share, "a share above 0 such as 1%", 0.0),
            "default": 0.01,
            "metavar": "SHARE",
            "help": "half-width of an interval that is good enough; default: 1%%",
        },
        "budget": {
            "type": positive(seconds, SECONDS, 0.0),
            "default": question.budget,
            "metavar": "SECONDS",
            "help": f"{each}default: %(default)g",
        },
        "output": {
            "default": f"results/{name}",
            "metavar": "DIR",
            "help": "default: %(default)s",
        },
        "plots": {"default": "plots", "metavar": "DIR", "help": "default: %(default)s"},
        "resume": {"action": "store_true", "help": "go on with one that was cut short"},
        "seed": {
            "type": positive(int, "a whole number from 0 up", -1),
            "default": DEFAULT_SEED,
            "help": "default: %(default)s",
        },
    }
