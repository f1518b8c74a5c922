"""Running the gate: what ``dirtyscan gate`` asks, shows and writes."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

from rich.console import Console

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.base.processes import orderly_end
from harness.commands.cluster import is_for_hosts
from harness.commands.gate import BUDGET
from harness.commands.gate_hosts import answer, ask_hosts, go_to_repository
from harness.commands.gate_update import update
from harness.commands.options import find_conditions
from harness.gate.against import Against, time_changed
from harness.gate.choice import find_counted, find_timed
from harness.gate.evidence import Evidence, Scope
from harness.gate.finding import Verdict, join
from harness.gate.instructions import Instructions, count_alone, count_changed
from harness.gate.requirement import parse_requirement
from harness.gate.settings import Settings, read_settings
from harness.gate.speedups import Speedups
from harness.machine.cpu import cpu_model
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.presentation.console import console
from harness.presentation.gate_formats import FORMATS, to_annotations, to_markdown
from harness.presentation.gate_table import gate_table
from harness.presentation.progress import ProgressDisplay

UNCHANGED, SLOWER, UNDECIDED = 0, 1, 3


@orderly_end()
def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for; what it has put into a repository is taken away at the end."""
    out, log = console(), console(stderr=True)
    if is_for_hosts(options):
        verdict, trouble = ask_hosts(options)
        out.print(gate_table(verdict), soft_wrap=False)
        _write(options, verdict, out)
        return trouble or _status(verdict, options.undecided)
    go_to_repository(options)
    settings = read_settings(Path(options.settings) if options.settings else None)
    if options.update:
        return update(options, settings, out, log)
    evidence = _evidence(options, settings)
    with ProgressDisplay(log) as tell:
        verdict = join([one.collect(tell) for one in evidence])
    verdict = dataclasses.replace(verdict, measured_on=_machine(options))
    if answer(options, verdict):
        return UNCHANGED  # what it means is said where all hosts' are
    out.print(gate_table(verdict), soft_wrap=False)
    _write(options, verdict, out)
    return _status(verdict, options.undecided)


def _evidence(options: argparse.Namespace, settings: Settings) -> list[Evidence]:
    """Return what ``options`` ask for, with every name in them found."""
    if len(options.against) > 2:
        raise BadInput(f"--against takes a revision or two files, not {len(options.against)}.")
    if options.merge_base and len(options.against) != 1:
        raise BadInput("--merge-base needs --against with a revision; give one, or leave it out.")
    if options.arguments and len(options.against) != 1:
        raise BadInput("files behind -- go with --against and a revision; give one.")
    if options.untimed and not (options.instructions and options.against):
        raise BadInput("--untimed leaves --against with --instructions alone; give both.")
    if options.requirements and not settings.requirements:
        raise BadInput(
            f"there is no requirement in {settings.where}; write one "
            "there, name another file with --settings, or leave out --requirements."
        )
    if options.tolerance is not None and options.tolerance >= 1:
        raise BadInput(f"a tolerance of {options.tolerance:g} is no share; give one such as 5%.")
    for name in options.toolchain:
        find_toolchain(name)
    named = options.against or options.instructions or options.requirements or options.require
    timed = options.baseline is not None or not named
    counted = options.instructions and not options.against
    bases = [Path(name) for name in options.baseline or ()]
    references = find_timed(bases) if timed else ()
    requirements = settings.requirements if options.requirements or timed else ()
    requirements += tuple(parse_requirement(text, settings.own_traces) for text in options.require)
    scope = Scope(
        find_conditions(options.condition),
        tuple(options.toolchain),
        options.tolerance,
        settings.tolerances,
        () if options.condition else settings.traces,
        options.budget or BUDGET,
        options.seed,
    )
    evidence: list[Evidence] = []
    if options.against:
        counting = (count_changed,) if options.instructions else ()
        ways = (count_alone,) if options.untimed else (*counting, time_changed)
        names = tuple(options.against)
        evidence.append(
            Against(
                names, scope, ways, options.arguments, options.merge_base, options.even_unchanged
            )
        )
    if counted:
        stored = find_counted(bases, options.toolchain)
        evidence += [Instructions(reference, scope) for reference in stored]
    if timed or requirements:
        evidence.append(Speedups(references, requirements, scope))
    return evidence


def _write(options: argparse.Namespace, verdict: Verdict, out: Console) -> None:
    """Write the files that were asked for, and what GitHub reads if this runs there."""
    for name, form in FORMATS.items():
        if path := getattr(options, name.replace("-", "_")):
            write_text(Path(path), form.write(verdict))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _add_to_summary(Path(summary), to_markdown(verdict))
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
