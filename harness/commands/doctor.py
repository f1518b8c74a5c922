"""``dirtyscan doctor``: the state of the machine, and how far its results can be trusted."""

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from harness.base.files import write_text
from harness.commands.options import positive, results_folder
from harness.machine.state import Watch
from harness.presentation.console import console
from harness.presentation.progress import ProgressDisplay

if TYPE_CHECKING:
    import pandas as pd

    from harness.doctor.coverage import Coverage
    from harness.doctor.engine import Ratio
    from harness.doctor.sequential import Comparison

_RUNS, _GATES = "runs.csv", "calibration.csv"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
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
    parser.add_argument(
        "--engine",
        type=whole,
        metavar="RUNS",
        help="measure the original against itself and multi_page RUNS times by themselves and RUNS "
        "times by a worker of Dask, and again by two at once on a CPU each, and say whether they "
        "agree within 0.5 %%; exit status 1 if not, 3 if more runs are needed to say",
    )
    parser.add_argument(
        "--gate",
        type=whole,
        metavar="ROUNDS",
        help="ask the gate of every kind ROUNDS times about unchanged and about slower code, every "
        "other round with two busy loops beside, and count its answers",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="where --gate writes each answer as it comes, and goes on with those that it finds; "
        f"default: {_GATES} in the folder of --runs, or in results",
    )
    parser.add_argument(
        "--runs",
        metavar="DIR",
        help="where --calibrate, --against-sequential and --engine write each of their runs "
        f"({_RUNS}), --gate its answers ({_GATES}), and all of them what they were measured on",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out, log = console(), console(stderr=True)
    kept: list[Mapping[str, object]] = []
    watch = Watch()
    if options.calibrate:
        from harness.doctor.coverage import measure_coverage

        with ProgressDisplay(log) as steps:
            coverage = measure_coverage(options.calibrate, steps)
        _print_coverage(out, coverage)
        kept += _runs_of_coverage(coverage)
    if options.against_sequential:
        from harness.doctor.sequential import compare_with_sequential

        with ProgressDisplay(log) as steps:
            comparison = compare_with_sequential(options.against_sequential, steps)
        _print_comparison(out, comparison)
        kept += _runs_of_comparison(comparison)
    status = 0
    if options.engine:
        from harness.doctor.engine import compare_with_engine

        with ProgressDisplay(log) as steps:
            ratios = compare_with_engine(options.engine, steps)
        status = _print_engine(out, ratios)
        kept += _runs_of_engine(ratios)
    folder = results_folder(options.runs) if options.runs else None
    if kept and folder:
        out.print(f"runs: {_keep(kept, folder, watch)}", soft_wrap=True)
    if options.gate:
        from harness.doctor.gates import calibrate_gate

        path = Path(options.output) if options.output else (folder or Path("results")) / _GATES
        with ProgressDisplay(log) as steps:
            gates = calibrate_gate(options.gate, path, steps)
        if folder:
            _keep_environment(folder, watch)
        _print_gates(out, gates)
    measured = (options.calibrate, options.against_sequential, options.engine, options.gate)
    if not any(measured):
        _print_machine(out)
    return status


def _print_engine(out: Console, ratios: "Sequence[Ratio]") -> int:
    """Print what can be said of each ratio, and return the exit status."""
    from harness.doctor.engine import AGREEMENT, Agreement

    for ratio in ratios:
        # One run beside a neighbour would move a mean, and so say another thing than the interval.
        sides = (f"{statistics.median(side):.4f}" for side in (ratio.without, ratio.within))
        runs = len(ratio.without)
        how = "it" if ratio.workers == 1 else f"{ratio.workers} of its workers at once"
        apart = ratio.apart
        bounds = f" ({apart.low - 1:+.2%} to {apart.high - 1:+.2%})" if runs > 1 else ""
        out.print(
            f"{ratio.variant}: {' without the engine and '.join(sides)} with {how}, "
            f"{apart.value - 1:+.2%}{bounds} over {runs} run{'s' if runs > 1 else ''} of each: "
            f"{ratio.agreement.value} within {AGREEMENT:.1%}",
            soft_wrap=True,
        )
    found = {ratio.agreement for ratio in ratios}
    return 1 if Agreement.DIFFER in found else 3 if Agreement.UNDECIDED in found else 0


def _runs_of_engine(ratios: "Sequence[Ratio]") -> Iterator[Mapping[str, object]]:
    for ratio in ratios:
        for method, speedups in (
            ("without the engine", ratio.without),
            ("with the engine", ratio.within),
        ):
            for number, speedup in enumerate(speedups):
                yield {
                    "method": method, "variant": ratio.variant, "workers": ratio.workers,
                    "run": number, "speedup": speedup,
                }  # fmt: skip


def _runs_of_coverage(coverage: "Coverage") -> Iterator[Mapping[str, object]]:
    for number, interval in enumerate(coverage.intervals):
        yield {
            "method": "against itself", "variant": "page_by_page again", "run": number,
            "speedup": interval.value, "speedup_low": interval.low, "speedup_high": interval.high,
        }  # fmt: skip


def _runs_of_comparison(comparison: "Comparison") -> Iterator[Mapping[str, object]]:
    for method, speedups, seconds in (
        ("in turns", comparison.paired, comparison.paired_seconds),
        ("sequential", comparison.sequential, comparison.sequential_seconds),
    ):
        for number, speedup in enumerate(speedups):
            yield {
                "method": method, "variant": "multi_page", "run": number, "speedup": speedup,
                "seconds": seconds,
            }  # fmt: skip


def _keep(kept: list[Mapping[str, object]], folder: Path, watch: Watch) -> Path:
    """Write the runs, and what they were measured on, so that what is said of them has a source."""
    import pandas as pd

    path = folder / _RUNS
    write_text(path, str(pd.DataFrame(kept).to_csv(index=False, float_format="%.6g")))
    _keep_environment(folder, watch)
    return path


def _keep_environment(folder: Path, watch: Watch) -> None:
    from harness.native.toolchain import default_toolchain
    from harness.results.environment import ENVIRONMENT, describe_environment

    environment = describe_environment([default_toolchain()], {}, watch.stop())
    write_text(folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")


def _print_gates(out: Console, gates: "pd.DataFrame") -> None:
    kinds = ["evidence", "extra_work", gates["change"] != ""]
    for (evidence, extra, moved), group in gates.groupby(kinds, sort=False):
        answers = ", ".join(f"{n} {what}" for what, n in group["outcome"].value_counts().items())
        seconds = group["seconds"].median()
        what = f"{extra:.0%} slower" if extra else "moved" if moved else "unchanged"
        count = "1 gate" if len(group) == 1 else f"{len(group)} gates"
        out.print(f"{evidence}, {what}: {answers} ({count} of {seconds:.1f} s)")


def _print_machine(out: Console) -> None:
    from harness.doctor.core import inspect_core
    from harness.doctor.tools import inspect_tools
    from harness.machine.state import inspect_machine

    for fact in (*inspect_machine(), inspect_core()):
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


def _print_coverage(out: Console, coverage: "Coverage") -> None:
    out.print(
        f"{coverage.runs} runs of the original against itself: the 95 % interval contains 1 in "
        f"{coverage.covered:.1%}; the speedup is within 0.5 % of 1 in {coverage.close:.1%}, and "
        f"from {coverage.lowest:.4f} to {coverage.highest:.4f} over all."
    )


def _print_comparison(out: Console, comparison: "Comparison") -> None:
    for name, speedups, seconds in (
        ("in turns", comparison.paired, comparison.paired_seconds),
        ("sequential", comparison.sequential, comparison.sequential_seconds),
    ):
        spread = max(speedups) / min(speedups) - 1
        out.print(
            f"{name:10}  {len(speedups)} runs of {seconds:.1f} s: speedup {min(speedups):.3f} to "
            f"{max(speedups):.3f}, highest over lowest {spread:+.2%}"
        )
