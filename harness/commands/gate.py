"""``dirtyscan gate``: did a variant get slower?"""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from harness.commands.gate_update import FIND, add_update_options, update
from harness.commands.options import condition_help, find_conditions, positive, share
from harness.gate.finding import Verdict, check_tolerance
from harness.gate.gate import Question, ask
from harness.gate.reference import RESULTS, SUFFIX, find_reference
from harness.gate.requirement import Requirement, parse_requirement
from harness.gate.settings import Settings, read_settings
from harness.gate.timed import Tellers
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
from harness.presentation.progress import MeasurementProgress, StepProgress
from workloads.draws import DEFAULT_SEED
from workloads.errors import BadInput
from workloads.files import write_text

UNCHANGED, SLOWER, UNDECIDED = 0, 1, 3
_FORMATS = {
    "markdown": "Markdown, for a pull request",
    "junit": "JUnit XML",
    "json": "JSON for github-action-benchmark (customBiggerIsBetter)",
    "bmf": "JSON for Bencher (BMF)",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Compare variants with a stored reference, another revision, or what the "
        "project requires; without options, with the reference and the requirements. Exit status: "
        "0 nothing got slower; 1 something did, or went astray; 2 bad input; 3 undecided."
    )
    evidence = parser.add_argument_group("evidence")
    evidence.add_argument(
        "--baseline", nargs="?", const=FIND, metavar="DIR",
        help=f"time against this stored reference; default: {RESULTS}/*{SUFFIX} of this CPU, or "
        "else of this architecture",
    )  # fmt: skip
    evidence.add_argument(
        "--against", nargs="+", default=[], metavar="REV",
        help="time against the variants of this git revision, in the same processes; or, given "
        "two, one file against another (old.c new.c)",
    )  # fmt: skip
    evidence.add_argument(
        "--instructions", action="store_true",
        help="count instructions under valgrind: against --against, or else the reference",
    )  # fmt: skip
    evidence.add_argument(
        "--requirements", action="store_true",
        help="check the requirements in [tool.dirtyscan.gate] of pyproject.toml",
    )  # fmt: skip
    evidence.add_argument(
        "--require", action="append", default=[], metavar="TEXT",
        help="check this too, such as 'cond1 multi_page >= 8'",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=positive(share, "a share above 0 such as 5%", 0.0), metavar="SHARE",
        help="loss of speed that is let pass; default: 5%% of a reference, 1%% of a revision or "
        "of instructions",
    )  # fmt: skip
    parser.add_argument(
        "--undecided", choices=("fail", "pass"),
        help="exit with 1 or 0 where the gate cannot decide; default: 3",
    )  # fmt: skip
    parser.add_argument(
        "--condition", action="append", default=[], metavar="NAME", help=condition_help()
    )
    parser.add_argument("--toolchain", action="append", default=[], metavar="NAME")
    parser.add_argument(
        "--even-unchanged", action="store_true",
        help="also time variants that have compiled to the same code as before",
    )  # fmt: skip
    parser.add_argument(
        "--budget", type=positive(float, "a number of seconds above 0", 0.0), default=40.0,
        metavar="SECONDS", help="time to measure each kind of evidence; default: %(default)g",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")
    parser.add_argument(
        "--settings", default="pyproject.toml", metavar="FILE",
        help="where [tool.dirtyscan.gate] is; default: %(default)s",
    )  # fmt: skip
    for name, what in _FORMATS.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=f"also write {what}")
    add_update_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out, log = console(), console(stderr=True)
    tellers = Tellers(lambda: StepProgress(log), lambda: MeasurementProgress(log))
    settings = read_settings(Path(options.settings))
    if options.update:
        return update(options, settings, tellers, out)
    verdict = ask(_question(options, settings), tellers)
    out.print(gate_table(verdict), soft_wrap=False)
    _write(options, verdict, out)
    return _status(verdict, options.undecided)


def _question(options: argparse.Namespace, settings: Settings) -> Question:
    if len(options.against) > 2:
        raise BadInput(f"--against takes a revision or two files, not {len(options.against)}.")
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
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        # GitHub's own file, which other steps have added to.
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for command in to_annotations(verdict):
            out.print(command, soft_wrap=True, markup=False)


def _machine(options: argparse.Namespace) -> str:
    names = options.toolchain or [default_toolchain().name]
    made = "; ".join(f"{name}: {find_toolchain(name).version}" for name in names)
    return f"Measured on {cpu_model()}, {made}. "


def _status(verdict: Verdict, undecided: str | None) -> int:
    if verdict.failed:
        return SLOWER
    if verdict.open:
        meant = {"fail": SLOWER, "pass": UNCHANGED, None: UNDECIDED}[undecided]
        print(f"undecided counts as {undecided or 'exit status 3'}", file=sys.stderr)
        return meant
    return UNCHANGED
