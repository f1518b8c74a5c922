"""``dirtyscan study``: measure over a range of maps, of sizes, or of compilers."""

import argparse

from harness.commands.options import (
    SECONDS,
    positive,
    run_by,
    seconds,
    share,
)
from harness.studies import QUESTIONS, Question
from workloads.draws import DEFAULT_SEED


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="STUDY")
    for question in QUESTIONS.values():
        action = actions.add_parser(question.name, help=question.text, description=question.text)
        if question.name == "instructions":
            _add_instructions(action)
        elif question.name == "operations":
            _add_operations(action, question)
        else:
            _add_measured(action, question)


def _add_measured(action: argparse.ArgumentParser, question: Question) -> None:
    action.add_argument(
        "--variant", action="append", default=[], metavar="NAME",
        help="a name or path, as for 'dirtyscan bench'",
    )  # fmt: skip
    action.add_argument("--toolchain", action="append", default=[], metavar="NAME")
    if question.sizes:
        action.add_argument(
            "--guest-memory", action="append", default=[], metavar="SIZE", help=question.sizes
        )
    action.add_argument(
        "--precision", type=positive(share, "a share above 0 such as 1%", 0.0), default=0.01,
        metavar="SHARE", help="half-width of an interval that is good enough; default: 1%%",
    )  # fmt: skip
    action.add_argument(
        "--budget", type=positive(seconds, SECONDS, 0.0),
        default=question.budget, metavar="SECONDS", help="default: %(default)g",
    )  # fmt: skip
    action.add_argument(
        "--output", default=f"results/{question.name}", metavar="DIR", help="default: %(default)s"
    )
    action.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    action.add_argument("--resume", action="store_true", help="go on with one that was cut short")
    action.add_argument(
        "--seed", type=positive(int, "a whole number from 0 up", -1), default=DEFAULT_SEED,
        help="default: %(default)s",
    )  # fmt: skip
    action.set_defaults(run=run_by("study_run"), study=question.name, guest_memory=[])


def _add_instructions(action: argparse.ArgumentParser) -> None:
    action.add_argument("--variant", action="append", default=[], metavar="NAME")
    action.add_argument("--toolchain", action="append", default=[], metavar="NAME")
    action.add_argument("--output", default="results/instructions", metavar="DIR")
    action.add_argument("--plots", default="plots", metavar="DIR")
    action.set_defaults(run=run_by("study_run", "run_instructions"))


def _add_operations(action: argparse.ArgumentParser, question: Question) -> None:
    action.add_argument(
        "--operation", action="append", default=[], metavar="NAME", help="default: all"
    )
    action.add_argument(
        "--budget", type=positive(seconds, SECONDS, 0.0),
        default=question.budget, metavar="SECONDS",
        help="for each operation; default: %(default)g",
    )  # fmt: skip
    action.add_argument("--output", default="results/operations", metavar="DIR")
    action.set_defaults(run=run_by("study_run", "run_operations"))
