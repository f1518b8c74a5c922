"""Short runs: how far results can be trusted, and what speedup traces give."""

import dataclasses
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyperf

from harness.measurement.choice import choose
from harness.measurement.experiment import Experiment, measure
from harness.measurement.lineup import line_up
from harness.measurement.plan import ROUNDS
from harness.measurement.preparation import prepare
from harness.measurement.request import Request, condition_traces
from harness.measurement.run_folder import RunFolder
from harness.native.toolchain import find_toolchains
from harness.statistics.interval import Interval
from workloads.conditions import find_condition
from workloads.errors import BadInput
from workloads.processes import module_command, module_environment
from workloads.synthesis import Report

VARIANT, _CONDITION = "multi_page", "cond1"
_PRECISION = 0.005
_BUDGET = 20.0
_PYPERF_PROCESS_SECONDS = 0.6  # one of pyperf's processes with the options below


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What runs of the original against itself gave, where the truth is 1."""

    runs: int
    covered: float
    """Share of the runs whose 95 % interval contains 1."""
    close: float
    """Share of the runs whose speedup is within 0.5 % of 1."""
    lowest: float
    highest: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The same speedup measured many times in two ways."""

    paired: tuple[float, ...]
    sequential: tuple[float, ...]
    paired_seconds: float
    """Of one run, the median."""
    sequential_seconds: float


def measure_coverage(runs: int, report: Report) -> Coverage:
    """Measure the original against itself in ``runs`` short runs, each with a trace of its own."""
    found: list[Interval] = []
    for number in range(runs):
        (speedup,) = measure(_request((), number), _BUDGET).speedups.values()
        found.append(speedup)
        report("A/A runs", number + 1, runs)
    values = [interval.value for interval in found]
    return Coverage(
        runs,
        sum(interval.low <= 1 <= interval.high for interval in found) / runs,
        sum(abs(value - 1) <= 0.005 for value in values) / runs,
        min(values),
        max(values),
    )


def compare_with_sequential(runs: int, report: Report) -> Comparison:
    """Measure Cond1's speedup in turns and with pyperf's runner, alternately, in the same time."""
    paired: list[float] = []
    sequential: list[float] = []
    seconds: dict[str, list[float]] = {"paired": [], "sequential": []}
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch)) as folder,
    ):
        plan = prepare(_request((VARIANT,), 0), folder)
        for number in range(runs):
            start = time.monotonic()
            shutil.rmtree(folder.samples)
            folder.begin(dataclasses.replace(plan, seed=number))
            run = Experiment(folder.unfinished_plan(), folder, _BUDGET).run()
            paired.append(next(iter(run.speedups.values())).value)
            seconds["paired"].append(time.monotonic() - start)
            start = time.monotonic()
            sequential.append(_measure_sequentially(folder, seconds["paired"][-1]))
            seconds["sequential"].append(time.monotonic() - start)
            report("runs of each", number + 1, runs)
    return Comparison(
        tuple(paired),
        tuple(sequential),
        statistics.median(seconds["paired"]),
        statistics.median(seconds["sequential"]),
    )


def measure_traces(paths: Sequence[Path]) -> list[Interval]:
    """Measure the speedup of the patch on each of some traces in a quick run."""
    run = measure(_request((VARIANT,), 0, tuple(paths)), _BUDGET)
    lanes = run.plan.lanes
    return [speedup for (_, lane), speedup in run.speedups.items() if lanes[lane].is_judged]


def _request(variants: tuple[str, ...], seed: int, traces: tuple[Path, ...] = ()) -> Request:
    """Return the request of a quick run, of ``traces`` or of one condition if there are none."""
    lineup = line_up(choose(variants), find_toolchains())
    condition = condition_traces([find_condition(_CONDITION)], ("synthetic",), seed=seed)
    return Request(lineup, traces or condition, _PRECISION, seed)


def _measure_sequentially(folder: RunFolder, seconds: float) -> float:
    """Measure the plan in ``folder`` with pyperf's own runner in about ``seconds``."""
    output = folder.unfinished / "sequential.json"
    output.unlink(missing_ok=True)
    # Two benchmarks; beside its measuring processes each has one that calibrates.
    processes = max(2, round(seconds / 2 / _PYPERF_PROCESS_SECONDS) - 1)
    command = module_command("harness.measurement.sequential", "--plan", str(folder.plan))
    # As many values a process as there are rounds, each at least about as long as a round's share.
    layout = ["--processes", str(processes), "--values", str(ROUNDS), "--min-time", "0.004"]
    options = [*layout, "--quiet", "--output", str(output), "--inherit-environ", "PYTHONPATH"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, env=module_environment()
    )
    if done.returncode:
        raise BadInput(f"pyperf's runner failed: {(done.stderr.splitlines() or ['?'])[-1]}")
    original, variant = pyperf.BenchmarkSuite.load(str(output)).get_benchmarks()
    return float(original.mean() / variant.mean())
