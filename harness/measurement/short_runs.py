"""Short runs: how far results can be trusted, and what speedup traces give."""

import contextlib
import dataclasses
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyperf

from harness.measurement.experiment import Experiment
from harness.measurement.plan import ROUNDS, Plan
from harness.measurement.preparation import Request, prepare
from harness.measurement.run_folder import RunFolder
from harness.statistics.interval import Interval
from workloads.conditions import find_condition
from workloads.errors import BadInput
from workloads.guest import GuestMemory
from workloads.processes import module_command, module_environment
from workloads.synthesis import Report

_CONDITION = "cond1"
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
        with _short_plan((), number) as (plan, folder):
            found.append(_measure(plan, folder))
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
    with _short_plan(("multi_page",), 0) as (plan, folder):
        for number in range(runs):
            start = time.monotonic()
            paired.append(_measure(dataclasses.replace(plan, seed=number), folder).value)
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
    with _short_plan(("multi_page",), 0, paths) as (plan, folder):
        folder.begin(plan)
        speedups = Experiment(plan, folder, _BUDGET).run().speedups
        return [
            interval for (_, lane), interval in speedups.items() if not plan.lanes[lane].noise_floor
        ]


@contextlib.contextmanager
def _short_plan(
    variants: tuple[str, ...], seed: int, traces: Sequence[Path] = ()
) -> Iterator[tuple[Plan, RunFolder]]:
    """Yield the plan of a quick run, in a folder that is gone afterwards.

    It is of ``traces``, or of one condition if there are none.
    """
    request = Request(
        conditions=() if traces else (find_condition(_CONDITION),),
        origins=("synthetic",),
        traces=tuple(traces),
        variants=variants,
        toolchains=(),
        memory=GuestMemory(),
        settings={},
        seed=seed,
        quick=True,
        precision=_PRECISION,
    )
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch)) as folder,
    ):
        yield prepare(request, folder.unfinished, lambda _name, _done, _of: None), folder


def _measure(plan: Plan, folder: RunFolder) -> Interval:
    """Run ``plan`` anew and return the speedup of its first comparison."""
    shutil.rmtree(folder.samples, ignore_errors=True)
    folder.begin(plan)
    speedups = Experiment(plan, folder, _BUDGET).run().speedups
    return next(iter(speedups.values()))


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
