"""``dirtyscan study``: measure over a range of maps, of sizes, or of compilers."""

import argparse
from collections.abc import Callable, Mapping

from harness.commands.cluster import add_cluster
from harness.commands.options import (
    add_budget,
    add_folder,
    add_names,
    add_precision,
    add_resume,
    add_seed,
    add_toolchains,
    run_by,
)
from harness.studies import questions
from workloads.draws import DEFAULT_SEED

_NAMED = "; {study} in it stands for the name of the study, also in --plots"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="STUDY")
    each = {}
    for name, question in questions().items():
        if not question.command:
            each[name] = actions.add_parser(name, help=question.text, description=question.text)
            add_study_options(each[name], name)
            add_cluster(each[name])
            each[name].set_defaults(run=run_by("study_run"))
    what = "every study, one after the other, each as by default"
    every = actions.add_parser("all", help=what, description=f"{what.capitalize()}.")
    add_folder(every, "--output", "results/{study}", _NAMED)
    add_folder(every, "--plots", "plots")
    add_cluster(every)
    every.set_defaults(run=run_by("study_run", "run_all"), parsers=each)


def add_study_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of the study ``name``; those that it has not have their defaults."""
    question = questions()[name]
    each = f"for {question.budget_for}; " if question.budget_for else ""
    none: list[str] = []
    add: Mapping[str, Callable[[], object]] = {
        "variant": lambda: add_names(parser, "--variant", question.variants),
        "toolchain": lambda: add_toolchains(parser),
        "operation": lambda: add_names(parser, "--operation", "default: all"),
        "guest-memory": lambda: parser.add_argument(
            "--guest-memory", action="append", default=none, metavar="SIZE", help=question.sizes
        ),
        "precision": lambda: add_precision(parser, "1%"),
        "budget": lambda: add_budget(parser, f"{each}default: {question.budget:g}"),
        "output": lambda: add_folder(parser, "--output", f"results/{name}", _NAMED),
        "plots": lambda: add_folder(parser, "--plots", "plots"),
        "resume": lambda: add_resume(parser, "one that was cut short"),
        "seed": lambda: add_seed(parser),
    }
    # Where one that was cut short cannot be gone on with, that is None.
    parser.set_defaults(
        study=name, variant=none, toolchain=none, operation=none, guest_memory=none,
        precision=0.01, budget=None, plots="plots", seed=DEFAULT_SEED,
        resume=False if "resume" in question.options else None,
    )  # fmt: skip
    offered = {*question.options, "output", *(["guest-memory"] if question.sizes else [])}
    for option in add:
        if option in offered:
            add[option]()
