"""Running the gate: what ``dirtyscan gate`` asks, shows and writes."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.commands.gate import FIND
from harness.commands.gate_update import update
from harness.commands.options import find_conditions
from harness.gate.finding import Verdict, check_tolerance
from harness.gate.gate import ask
from harness.gate.question import Question
from harness.gate.reference import find_reference
from harness.gate.requirement import Requirement, parse_requirement
from harness.gate.settings import Settings, read_settings
from harness.machine.cpu import cpu_model
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.presentation.console import console
from harness.presentation.gate_formats import (
    to_annotations,
    to_bencher,
    to_custom_bigger_is_better,
    to_junit,
    to_markdown,
)
from harness.presentation.gate_table import gate_table
from harness.presentation.progress import ProgressDisplay

UNCHANGED, SLOWER, UNDECIDED = 0, 1, 3


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out, log = console(), console(stderr=True)
    settings = read_settings(options.settings)
    if options.update:
        return update(options, settings, out, log)
    question = _question(options, settings)
    with ProgressDisplay(log) as tell:
        verdict = ask(question, tell)
    out.print(gate_table(verdict), soft_wrap=False)
    _write(options, verdict, out)
    return _status(verdict, options.undecided)


def _question(options: argparse.Namespace, settings: Settings) -> Question:
    if len(options.against) > 2:
        raise BadInput(f"--against takes a revision or two files, not {len(options.against)}.")
    if options.merge_base and len(options.against) != 1:
        raise BadInput("--merge-base needs --against with a revision; give one, or leave it out.")
    if options.requirements and not settings.requirements:
        raise BadInput(
            f"there is no requirement in [tool.dirtyscan.gate] of {settings.path}; write one "
            "there, name another file with --settings, or leave out --requirements."
        )
    for name in options.toolchain:
        find_toolchain(name)
    named = bool(options.against or options.instructions or options.requirements or options.require)
    timed = options.baseline is not None or not named
    needs_reference = timed or (options.instructions and not options.against)
    given = options.baseline not in (None, FIND)
    reference = None
    if needs_reference:
        reference = Path(options.baseline) if given else find_reference()
    return Question(
        conditions=find_conditions(options.condition),
        reference=reference,
        time_reference=timed,
        against=tuple(options.against),
        merge_base=options.merge_base,
        instructions=options.instructions,
        requirements=_requirements(options, settings, timed),
        toolchains=tuple(options.toolchain),
        even_unchanged=options.even_unchanged,
        tolerance=None if options.tolerance is None else check_tolerance(options.tolerance),
        budget=options.budget,
        seed=options.seed,
    )


def _requirements(
    options: argparse.Namespace, settings: Settings, timed: bool
) -> tuple[Requirement, ...]:
    own = tuple(parse_requirement(text) for text in options.require)
    return (settings.requirements if options.requirements or timed else ()) + own


def _write(options: argparse.Namespace, verdict: Verdict, out: Console) -> None:
    """Write the files that were asked for, and what GitHub reads if this runs there."""
    markdown = to_markdown(verdict, _machine(options))
    texts = {
        "markdown": markdown,
        "junit": to_junit(verdict),
        "json": to_custom_bigger_is_better(verdict),
        "bmf": to_bencher(verdict),
    }
    for name, text in texts.items():
        if path := getattr(options, name):
            write_text(Path(path), text)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _add_to_summary(Path(summary), markdown)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for command in to_annotations(verdict):
            out.print(command, soft_wrap=True, markup=False)


def _add_to_summary(path: Path, markdown: str) -> None:
    """Add to GitHub's own file, which other steps have added to; the verdict stands without it."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown)
    except OSError as error:
        print(
            f"the summary cannot be added to GITHUB_STEP_SUMMARY, {path} ({error.strerror})",
            file=sys.stderr,
        )


def _machine(options: argparse.Namespace) -> str:
    names = options.toolchain or [default_toolchain().name]
    made = "; ".join(f"{name}: {find_toolchain(name).version}" for name in names)
    return f"Measured on {cpu_model()}, {made}. "


def _status(verdict: Verdict, undecided: str | None) -> int:
    if verdict.failed:
        return SLOWER
    if verdict.open:
        meant = {"fail": SLOWER, "pass": UNCHANGED, None: UNDECIDED}[undecided]
        what = "nothing compared" if verdict.empty else "undecided"
        print(f"{what}: exit status {meant}", file=sys.stderr)
        return meant
    return UNCHANGED
