"""The usual way, for comparison: pyperf's own runner, one variant after the other.

``dirtyscan doctor --against-sequential`` runs this module, as a program that pyperf starts, beside
a paired run of the same plan.
"""

import dataclasses
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyperf

from harness.base.errors import BadInput
from harness.base.processes import module_command, module_environment
from harness.doctor.coverage import BUDGET, short_request
from harness.measurement.budget import Budget
from harness.measurement.experiment import Experiment
from harness.measurement.plan import ROUNDS, Plan
from harness.measurement.preparation import prepare
from harness.measurement.rounds import load_snapshots
from harness.measurement.run_folder import RunFolder
from harness.native.loaded_variant import LoadedVariant, load_variant
from harness.native.operation import find_operation
from harness.native.stopwatch import Stopwatch
from workloads.synthesis import Report

_PYPERF_PROCESS_SECONDS = 1.2  # one of pyperf's processes with the options below


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The same speedup measured many times in two ways."""

    paired: tuple[float, ...]
    sequential: tuple[float, ...]
    paired_seconds: float
    """Of one run, the median."""
    sequential_seconds: float


def compare_with_sequential(runs: int, report: Report) -> Comparison:
    """Measure Cond1's speedup in turns and with pyperf's runner, alternately, in the same time."""
    paired: list[float] = []
    sequential: list[float] = []
    seconds: dict[str, list[float]] = {"paired": [], "sequential": []}
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        RunFolder(Path(scratch), resumable=False) as folder,
    ):
        plan = prepare(short_request(("multi_page",), 0), folder)
        for number in range(runs):
            start = time.monotonic()
            shutil.rmtree(folder.samples.path)
            folder.begin(dataclasses.replace(plan, seed=number))
            run = Experiment(folder.unfinished_plan(), folder, Budget(BUDGET)).run()
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


def _measure_sequentially(folder: RunFolder, seconds: float) -> float:
    """Measure the plan in ``folder`` with pyperf's own runner in about ``seconds``."""
    output = folder.unfinished / "sequential.json"
    output.unlink(missing_ok=True)
    # Two benchmarks; beside its measuring processes each has one that calibrates.
    processes = max(2, round(seconds / 2 / _PYPERF_PROCESS_SECONDS) - 1)
    command = module_command("harness.doctor.sequential", "--plan", str(folder.plan))
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


def main() -> int:
    """Benchmark the lanes of a plan, without the noise floor, on its first trace."""

    def pass_on(command: list[str], options: Any) -> None:
        command.extend(["--plan", options.plan])

    runner = pyperf.Runner(
        program_args=("-P", "-m", "harness.doctor.sequential"), add_cmdline_args=pass_on
    )
    runner.argparser.add_argument("--plan", required=True)
    path = Path(runner.parse_args().plan)
    plan, base = Plan.from_json(path.read_text(encoding="utf-8")), path.parent
    planned = plan.traces[0]
    memory, snapshots = load_snapshots(planned, base, find_operation(plan.operation))
    stopwatch = Stopwatch(base / plan.stopwatch, memory, [lane.map for lane in plan.lanes])
    order = np.zeros((len(snapshots), 1), np.uint16)
    random = np.random.default_rng()

    def time_passes(passes: int, variant: LoadedVariant) -> float:
        total = 0.0
        for _ in range(passes):
            visited = random.permutation(len(snapshots))
            asked = snapshots, [variant], [1], visited, order, plan.other_work
            elapsed, _counts = stopwatch.time_pass(*asked)
            total += float(elapsed.sum()) * 1e-9
        return total

    for lane in plan.lanes:
        if not lane.noise_floor:
            variant = load_variant(base / lane.library)
            name = plan.benchmark_name(planned, lane)
            runner.bench_time_func(name, time_passes, variant, inner_loops=len(snapshots))
    return 0


if __name__ == "__main__":
    sys.exit(main())
