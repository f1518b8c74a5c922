"""The usual way, for comparison: pyperf's own runner, one variant after the other.

``dirtyscan doctor --against-sequential`` runs this beside a paired run of the same plan.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyperf

from harness.measurement.plan import Plan
from harness.measurement.worker import load_snapshots
from harness.native.loaded_variant import LoadedVariant, load_variant
from harness.native.operation import find_operation
from harness.native.stopwatch import Stopwatch


def main() -> int:
    """Benchmark the lanes of a plan, without the noise floor, on its first trace."""

    def pass_on(command: list[str], options: Any) -> None:
        command.extend(["--plan", options.plan])

    runner = pyperf.Runner(
        program_args=("-P", "-m", "harness.measurement.sequential"), add_cmdline_args=pass_on
    )
    runner.argparser.add_argument("--plan", required=True)
    path = Path(runner.parse_args().plan)
    plan, base = Plan.from_json(path.read_text(encoding="utf-8")), path.parent
    planned = plan.traces[0]
    memory, snapshots = load_snapshots(planned, base, find_operation(plan.operation))
    stopwatch = Stopwatch(base / plan.stopwatch, memory, [lane.map for lane in plan.lanes])
    order = np.zeros((len(snapshots), 1), np.uint8)
    random = np.random.default_rng()

    def time_passes(passes: int, variant: LoadedVariant) -> float:
        total = 0.0
        for _ in range(passes):
            visited = random.permutation(len(snapshots))
            elapsed, _counts = stopwatch.time_pass(snapshots, [variant], [1], visited, order)
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
