"""``dirtyscan study``: measure over a range of maps, of sizes, or of compilers."""

import argparse

from harness.commands.options import (
    add_budget,
    add_folder,
    add_names,
    add_precision,
    add_resume,
    add_seed,
    run_by,
)
from harness.studies import QUESTIONS, Question


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
    add_names(action, "--variant", "a name or path, as for 'dirtyscan bench'")
    add_names(action, "--toolchain")
    if question.sizes:
        action.add_argument(
            "--guest-memory", action="append", default=[], metavar="SIZE", help=question.sizes
        )
    add_precision(action, "1%")
    add_budget(action, "default: %(default)g", question.budget)
    add_folder(action, "--output", f"results/{question.name}")
    add_folder(action, "--plots", "plots")
    add_resume(action, "one that was cut short")
    add_seed(action)
    action.set_defaults(run=run_by("study_run"), study=question.name, guest_memory=[])


def _add_instructions(action: argparse.ArgumentParser) -> None:
    add_names(action, "--variant")
    add_names(action, "--toolchain")
    action.add_argument("--output", default="results/instructions", metavar="DIR")
    action.add_argument("--plots", default="plots", metavar="DIR")
    action.set_defaults(run=run_by("study_run", "run_instructions"))


def _add_operations(action: argparse.ArgumentParser, question: Question) -> None:
    add_names(action, "--operation", "default: all")
    add_budget(action, "for each operation; default: %(default)g", question.budget)
    action.add_argument("--output", default="results/operations", metavar="DIR")
    action.set_defaults(run=run_by("study_run", "run_operations"))
