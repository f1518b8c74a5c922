"""Running a study: what ``dirtyscan study`` measures, writes and shows."""

import argparse
import importlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands.measure import measure, print_end
from harness.commands.options import results_folder
from harness.machine.state import Watch
from harness.measurement.run_folder import RunFolder
from harness.native.operation import find_operation
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.presentation.console import console
from harness.presentation.figures.instructions import draw_instructions
from harness.presentation.figures.style import save
from harness.presentation.progress import ProgressDisplay
from harness.results.environment import ENVIRONMENT, describe_environment
from harness.results.result import SPEEDUPS, read_table
from harness.studies import QUESTIONS, operations
from harness.studies.instructions import study_instructions, summarize
from harness.studies.study import Options, Study
from workloads.errors import BadInput
from workloads.files import write_text
from workloads.units import parse_size


def run(options: argparse.Namespace) -> int:
    """Measure, and write the study's table and its picture."""
    question = QUESTIONS[options.study]
    study: Study = importlib.import_module(f"harness.studies.{question.name}").STUDY
    out, log = console(), console(stderr=True)
    chosen = Options(
        tuple(dict.fromkeys(options.variant)),
        tuple(dict.fromkeys(options.toolchain)),
        tuple(parse_size(size) for size in options.guest_memory),
        options.precision,
        options.seed,
    )

    with RunFolder(results_folder(options.output)) as folder:
        request = study.request(chosen)
        measured = measure(request, folder, options.budget, options.resume, log)
    found = study.table(read_table(folder.path, SPEEDUPS), folder.path)
    path = folder.path / f"{question.name}.csv"
    write_text(path, str(found.to_csv(index=False, float_format="%.6g")))
    _print(question.text, study.summarize(found), out)
    out.print(f"table: {path}", soft_wrap=True)
    for picture in save(study.draw(found), results_folder(options.plots), question.name):
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
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch, ProgressDisplay(log) as steps:
        found = study_instructions(options.variant, toolchains, Path(scratch), steps, left_out)
    path = results_folder(options.output) / "instructions.csv"
    environment = describe_environment(toolchains, {"left_out": sentences}, watch.stop())
    write_text(path.with_name(ENVIRONMENT), json.dumps(environment, indent=1) + "\n")
    write_text(path, str(found.to_csv(index=False, float_format="%.6g")))
    _print(QUESTIONS["instructions"].text, summarize(found), out)
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

        instead = "" if original == own else f" compared with {original}, since {own} is left out"
        log.print(f"{name}{instead}:")
        with RunFolder(output / name) as folder:
            request = operations.request_operation(name, original, 0.01)
            measured = measure(request, folder, options.budget, resume=False, log=log)
        parts.append(operations.shares_of_best(name, read_table(folder.path, SPEEDUPS)))
        path = output / "operations.csv"
        # Written after each, so that what was measured is there whatever happens next.
        write_text(path, str(pd.concat(parts).to_csv(index=False, float_format="%.6g")))
        status = max(status, print_end(measured, out, log))
    if not parts:
        raise BadInput(f"nothing was measured: {'; '.join(left_out)}.")
    _print(QUESTIONS["operations"].text, operations.summarize(pd.concat(parts)), out)
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
