"""``dirtyscan doctor``: the state of the machine, and how far its results can be trusted."""

import argparse

from rich.console import Console
from rich.text import Text

from harness.commands.options import positive
from harness.machine.state import inspect_machine
from harness.machine.tools import inspect_tools
from harness.measurement.short_runs import (
    Comparison,
    Coverage,
    compare_with_sequential,
    measure_coverage,
)
from harness.presentation.progress import StepProgress
from harness.presentation.table import console


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "doctor", help="say what disturbs measurements here, and what tools are there"
    )
    whole = positive(int, "a whole number above 0", 0)
    parser.add_argument(
        "--calibrate",
        type=whole,
        metavar="RUNS",
        help="measure the original against itself in RUNS short runs, and count how often the "
        "95 %% interval contains 1",
    )
    parser.add_argument(
        "--against-sequential",
        type=whole,
        metavar="RUNS",
        help="measure the same speedup RUNS times in turns and RUNS times with pyperf's own "
        "runner, in the same time",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out, log = console(), console(stderr=True)
    if options.calibrate:
        with StepProgress(log) as steps:
            coverage = measure_coverage(options.calibrate, steps)
        _print_coverage(out, coverage)
    if options.against_sequential:
        with StepProgress(log) as steps:
            comparison = compare_with_sequential(options.against_sequential, steps)
        _print_comparison(out, comparison)
    if not (options.calibrate or options.against_sequential):
        _print_machine(out)
    return 0


def _print_machine(out: Console) -> None:
    for fact in inspect_machine():
        _print_mark(out, fact.good, f"{fact.name}: {fact.state}")
        if not fact.good:
            out.print(Text(f"     {fact.effect}", "dim"))
            out.print(Text(f"     mend: {fact.remedy}"), soft_wrap=True)
    out.print()
    for tool in inspect_tools():
        _print_mark(out, bool(tool.found), f"{tool.name}: {tool.found or 'not here'}")
        if not tool.found:
            out.print(Text(f"     for {tool.use}: {tool.remedy}"))


def _print_mark(out: Console, good: bool, text: str) -> None:
    out.print(Text(" ok  " if good else "  !  ", "green" if good else "yellow") + Text(text))


def _print_coverage(out: Console, coverage: Coverage) -> None:
    out.print(
        f"{coverage.runs} runs of the original against itself: the 95 % interval contains 1 in "
        f"{coverage.covered:.1%}; the speedup is within 0.5 % of 1 in {coverage.close:.1%}, and "
        f"from {coverage.lowest:.4f} to {coverage.highest:.4f} over all."
    )


def _print_comparison(out: Console, comparison: Comparison) -> None:
    for name, speedups, seconds in (
        ("in turns", comparison.paired, comparison.paired_seconds),
        ("sequential", comparison.sequential, comparison.sequential_seconds),
    ):
        spread = max(speedups) / min(speedups) - 1
        out.print(
            f"{name:10}  {len(speedups)} runs of {seconds:.1f} s: speedup {min(speedups):.3f} to "
            f"{max(speedups):.3f}, highest over lowest {spread:+.2%}"
        )
