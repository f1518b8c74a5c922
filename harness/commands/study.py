"""``dirtyscan study``: measure over a range of maps, of sizes, or of compilers."""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands.measure import measure, print_end
from harness.commands.options import positive, results_folder, share
from harness.machine.environment import ENVIRONMENT, describe_environment
from harness.machine.state import Watch
from harness.measurement.plan import Plan
from harness.measurement.preparation import prepare
from harness.measurement.run_folder import RunFolder
from harness.native.operation import find_operation
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.presentation.console import console
from harness.presentation.figures.instructions import draw_instructions
from harness.presentation.figures.style import save
from harness.presentation.progress import StepProgress
from harness.statistics.results import SPEEDUPS, read_table
from harness.studies import operations
from harness.studies.assumptions import ASSUMED
from harness.studies.density import DENSITY
from harness.studies.instructions import QUESTION, study_instructions, summarize
from harness.studies.size import SIZE
from harness.studies.study import Options, Study
from harness.studies.tick import TICK
from harness.studies.toolchains import TOOLCHAINS
from workloads.errors import BadInput
from workloads.files import write_text
from workloads.synthesis import DEFAULT_SEED, Report
from workloads.units import parse_size

STUDIES = {study.name: study for study in (DENSITY, SIZE, TOOLCHAINS, TICK, ASSUMED)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="STUDY")
    for study in STUDIES.values():
        action = actions.add_parser(study.name, help=study.question, description=study.question)
        action.add_argument(
            "--variant", action="append", default=[], metavar="NAME",
            help="a name or path, as for 'dirtyscan bench'",
        )  # fmt: skip
        action.add_argument("--toolchain", action="append", default=[], metavar="NAME")
        if study is not TOOLCHAINS:
            action.add_argument(
                "--guest-memory", action="append", default=[], metavar="SIZE",
                help="default: 512MiB"
                if study in (DENSITY, ASSUMED)
                else "may be given several times",
            )  # fmt: skip
        action.add_argument(
            "--precision", type=positive(share, "a share above 0 such as 1%", 0.0), default=0.01,
            metavar="SHARE", help="half-width of an interval that is good enough; default: 1%%",
        )  # fmt: skip
        action.add_argument(
            "--budget", type=positive(float, "a number of seconds above 0", 0.0),
            default=study.budget, metavar="SECONDS", help="default: %(default)g",
        )  # fmt: skip
        action.add_argument(
            "--output", default=f"results/{study.name}", metavar="DIR", help="default: %(default)s"
        )
        action.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
        action.add_argument(
            "--resume", action="store_true", help="go on with one that was cut short"
        )
        action.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")
        action.set_defaults(run=run, study=study)
    _add_instructions(actions)
    _add_operations(actions)


def _add_instructions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser("instructions", help=QUESTION, description=QUESTION)
    action.add_argument("--variant", action="append", default=[], metavar="NAME")
    action.add_argument("--toolchain", action="append", default=[], metavar="NAME")
    action.add_argument("--output", default="results/instructions", metavar="DIR")
    action.add_argument("--plots", default="plots", metavar="DIR")
    action.set_defaults(run=run_instructions)


def _add_operations(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser(
        "operations", help=operations.QUESTION, description=operations.QUESTION
    )
    action.add_argument(
        "--operation", action="append", default=[], metavar="NAME", help="default: all"
    )
    action.add_argument(
        "--budget", type=positive(float, "a number of seconds above 0", 0.0), default=30.0,
        metavar="SECONDS", help="for each operation; default: %(default)g",
    )  # fmt: skip
    action.add_argument("--output", default="results/operations", metavar="DIR")
    action.set_defaults(run=run_operations)


def run(options: argparse.Namespace) -> int:
    """Measure, and write the study's table and its picture."""
    study: Study = options.study
    out, log = console(), console(stderr=True)
    chosen = Options(
        tuple(dict.fromkeys(options.variant)),
        tuple(dict.fromkeys(options.toolchain)),
        tuple(parse_size(size) for size in getattr(options, "guest_memory", [])),
        options.precision,
        options.seed,
    )

    def make_plan(base: Path, report: Report) -> Plan:
        with tempfile.TemporaryDirectory(prefix="dirtyscan-") as made:
            return prepare(study.request(chosen, Path(made), report), base, report)

    with RunFolder(results_folder(options.output)) as folder:
        measured = measure(folder, make_plan, options.budget, options.resume, log)
    found = study.table(read_table(folder.path, SPEEDUPS), folder.path)
    path = folder.path / f"{study.name}.csv"
    write_text(path, str(found.to_csv(index=False, float_format="%.6g")))
    _print(study.question, study.summarize(found), out)
    out.print(f"table: {path}", soft_wrap=True)
    for picture in save(study.draw(found), results_folder(options.plots), study.name):
        out.print(str(picture), soft_wrap=True)
    return print_end(measured, out, log)


def run_instructions(options: argparse.Namespace) -> int:
    """Count instructions, and write the table and its picture."""
    out, log = console(), console(stderr=True)
    toolchains = [find_toolchain(name) for name in options.toolchain] or [default_toolchain()]

    sentences: list[str] = []

    def left_out(sentence: str) -> None:
        sentences.append(sentence)
        log.print(f"left out: {sentence}", soft_wrap=True)

    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch, StepProgress(log) as steps:
        found = study_instructions(options.variant, toolchains, Path(scratch), steps, left_out)
    path = results_folder(options.output) / "instructions.csv"
    environment = describe_environment(toolchains, {"left_out": sentences}, watch.stop())
    write_text(path.with_name(ENVIRONMENT), json.dumps(environment, indent=1) + "\n")
    write_text(path, str(found.to_csv(index=False, float_format="%.6g")))
    _print(QUESTION, summarize(found), out)
    out.print(f"table: {path}", soft_wrap=True)
    plots = results_folder(options.plots)
    for picture in save(draw_instructions(found), plots, "instructions"):
        out.print(str(picture), soft_wrap=True)
    return 0


def run_operations(options: argparse.Namespace) -> int:
    """Measure every variant of the operations, and say which are never far from the best."""
    out, log = console(), console(stderr=True)
    output = results_folder(options.output)
    parts: list[pd.DataFrame] = []
    left_out: list[str] = []
    status = 0
    for name in dict.fromkeys(options.operation) or operations.STUDIED:
        own = find_operation(name).original
        try:
            original = operations.original_here(name)
        except BadInput as error:
            left_out.append(str(error))
            log.print(f"left out: {error}", soft_wrap=True)
            continue

        def make_plan(
            base: Path, report: Report, name: str = name, original: str = original
        ) -> Plan:
            with tempfile.TemporaryDirectory(prefix="dirtyscan-") as made:
                request = operations.request_operation(name, original, Path(made), 0.01, report)
                return prepare(request, base, report)

        instead = "" if original == own else f" compared with {original}, since {own} is left out"
        log.print(f"{name}{instead}:")
        with RunFolder(output / name) as folder:
            measured = measure(folder, make_plan, options.budget, resume=False, log=log)
        parts.append(operations.shares_of_best(name, read_table(folder.path, SPEEDUPS)))
        path = output / "operations.csv"
        # Written after each, so that what was measured is there whatever happens next.
        write_text(path, str(pd.concat(parts).to_csv(index=False, float_format="%.6g")))
        status = max(status, print_end(measured, out, log))
    if not parts:
        raise BadInput(f"nothing was measured: {'; '.join(left_out)}.")
    _print(operations.QUESTION, operations.summarize(pd.concat(parts)), out)
    out.print(f"table: {path}", soft_wrap=True)
    return status


def _print(question: str, lines: Sequence[Sequence[str]], out: Console) -> None:
    table = Table(title=question, title_justify="left", box=None, pad_edge=False,
                  padding=(0, 1, 0, 0))  # fmt: skip
    for number, head in enumerate(lines[0]):
        table.add_column(Text(head), justify="right" if number else "left", no_wrap=number == 0)
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    out.print(table)
