"""One measuring process: rounds in which all variants take turns, timed for pyperf.

How pairing and pyperf fit together. pyperf measures one benchmark after the other, also inside a
worker process; then everything that changes meanwhile (clock frequency, a neighbour, the cache)
ends up in the ratio of two of them. Here all variants of a trace are timed together: a *round* is a
pass over the snapshots, and on each snapshot the variants are called one directly after the other,
in an order drawn anew for each snapshot. What two calls some ten microseconds apart see of the
machine is nearly the same, so it cancels in their ratio.

The snapshots too are visited in an order drawn anew for each round. Two that follow each other in
a migration are nearly alike, and a branch predictor that has just seen the one knows the other; in
a migration there are 100 ms of other work between them, after which it does not.
``docs/statistics.md`` has what this changes.

pyperf still drives. For each variant it calls a time function for every warm-up and value, as it
does for any benchmark, calibrates the number of calls, and collects the metadata. The first
function that is asked for a round measures it for all variants; the others hand out what that round
had found for them. So every variant has pyperf's runs, in pyperf's file, and the k-th values of two
variants in a process are a pair. Processes are started one by one by :mod:`harness.experiment`
rather than by pyperf's manager, which fixes their number before the first of them; each has an
address layout of its own, which is why there are several.

``loops`` in pyperf's file is the number of calls between two readings of the clock: 1 unless maps
are so small that reading the clock would be seen. More than one shows the branch predictor the same
map again, which a migration never does.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyperf
from numpy.typing import NDArray

from harness.native import LoadedVariant, Stopwatch, load_variant
from harness.plan import Lane, Plan, PlannedTrace
from harness.samples import Samples, read_samples, samples_path, write_samples
from workloads.errors import BadInput
from workloads.processes import end_with_parent
from workloads.trace import Trace, open_trace

CLOCK_SHARE = 0.01  # of a timed interval that reading the clock may take

_Elapsed = NDArray[np.uint64]


class Rounds:
    """Rounds on one trace, each measured when it is first asked for."""

    def __init__(
        self,
        stopwatch: Stopwatch,
        bitmaps: NDArray[np.uint8],
        variants: Sequence[LoadedVariant],
        calls: Sequence[int],
        random: np.random.Generator,
    ) -> None:
        self._stopwatch = stopwatch
        self._bitmaps = bitmaps
        self._variants = variants
        self._calls = calls
        self._random = random
        self._measured: list[_Elapsed] = []

    def seconds(self, round_: int, lane: int) -> float:
        """Return the time of all calls of ``lane`` in ``round_``."""
        while len(self._measured) <= round_:
            self._measured.append(self._measure())
        return float(self._measured[round_][lane].sum()) * 1e-9

    def calls_seconds(self, warmups: int) -> NDArray[np.float64]:
        """Return the seconds of one call, (rounds, lanes, snapshots), without the warm-ups."""
        elapsed = np.array(self._measured[warmups:], dtype=np.float64)
        return elapsed * 1e-9 / np.array(self._calls, dtype=np.float64)[:, np.newaxis]

    def _measure(self) -> _Elapsed:
        snapshots, lanes = len(self._bitmaps), len(self._variants)
        visited = self._random.permutation(snapshots)
        order = self._random.random((snapshots, lanes)).argsort(axis=1).astype(np.uint8)
        found, _ = self._stopwatch.time_pass(
            self._bitmaps[visited], self._variants, self._calls, order
        )
        elapsed = np.empty_like(found)
        elapsed[:, visited] = found
        return elapsed


class Worker:
    """Does what the plan says, for one process."""

    def __init__(self, plan: Plan, base: Path, index: int) -> None:
        self._plan = plan
        self._base = base
        self._index = index
        self._variants = [load_variant(base / lane.library) for lane in plan.lanes]
        self._runner = pyperf.Runner()
        self._benchmarks: list[pyperf.Benchmark] = []

    def check_and_calibrate(self) -> Samples:
        """Check every variant on every snapshot, then let pyperf find the number of calls.

        Raises:
            BadInput: a variant counts wrong.
        """
        self._parse("--calibrate-loops", "--values=1", "--warmups=0")
        for planned in self._plan.traces:
            trace, stopwatch, bitmaps = self._load(planned)
            self._check(planned, trace, stopwatch, bitmaps)
            self._runner.args.min_time = stopwatch.clock_cost() / CLOCK_SHARE * len(bitmaps)
            for number, lane in enumerate(self._plan.lanes):
                single = [self._variants[number]]
                order = np.zeros((len(bitmaps), 1), np.uint8)

                def time_calls(calls: int) -> float:
                    elapsed, _ = stopwatch.time_pass(bitmaps, single, [calls], order)  # noqa: B023
                    return float(elapsed.sum()) * 1e-9

                self._benchmark(planned, lane, time_calls)
        return self._samples({})

    def measure(self, calls: dict[str, int], keys: Sequence[str]) -> Samples:
        """Measure the traces ``keys`` with ``calls`` (by benchmark name) between clock readings."""
        plan = self._plan
        self._parse("--loops=1", f"--values={plan.rounds}", f"--warmups={plan.warmups}")
        elapsed = {}
        for planned in plan.traces:
            if planned.key not in keys:
                continue
            _, stopwatch, bitmaps = self._load(planned)
            lane_calls = [calls[plan.benchmark_name(planned, lane)] for lane in plan.lanes]
            rounds = Rounds(stopwatch, bitmaps, self._variants, lane_calls, self._random(planned))
            for number, lane in enumerate(plan.lanes):
                self._runner.args.loops = lane_calls[number]
                self._benchmark(planned, lane, _replay(rounds, number))
            elapsed[planned.key] = rounds.calls_seconds(plan.warmups)
        return self._samples(elapsed)

    def _parse(self, *options: str) -> None:
        self._runner.parse_args(["--worker", *options])

    def _random(self, planned: PlannedTrace) -> np.random.Generator:
        place = self._plan.traces.index(planned)
        return np.random.default_rng([self._plan.seed, self._index, place])

    def _load(self, planned: PlannedTrace) -> tuple[Trace, Stopwatch, NDArray[np.uint8]]:
        trace = open_trace(self._base / planned.path)
        if trace.content_hash != planned.content_hash:
            raise BadInput(f"trace {trace.path} has changed since the run was planned; start anew.")
        bitmaps = np.stack(list(trace.bitmaps(planned.snapshots)))
        return trace, Stopwatch(self._base / self._plan.stopwatch, trace.source.memory), bitmaps

    def _check(
        self,
        planned: PlannedTrace,
        trace: Trace,
        stopwatch: Stopwatch,
        bitmaps: NDArray[np.uint8],
    ) -> None:
        order = np.tile(np.arange(len(self._variants), dtype=np.uint8), (len(bitmaps), 1))
        calls = [1] * len(self._variants)
        _, counts = stopwatch.time_pass(bitmaps, self._variants, calls, order)
        pages = trace.source.memory.pages
        for place, (bitmap, snapshot) in enumerate(zip(bitmaps, planned.snapshots, strict=True)):
            right = int(np.count_nonzero(np.unpackbits(bitmap, count=pages, bitorder="little")))
            for lane, counted in zip(self._plan.lanes, counts[:, place].tolist(), strict=True):
                if counted != right and not lane.bound:
                    raise BadInput(
                        f"variant {lane.variant} ({lane.toolchain}) counts {counted} dirty pages "
                        f"in snapshot {snapshot} of {planned.key} where there are {right}; mend "
                        "the variant or leave it out."
                    )

    def _benchmark(
        self, planned: PlannedTrace, lane: Lane, time_func: Callable[[int], float]
    ) -> None:
        benchmark = self._runner.bench_time_func(
            self._plan.benchmark_name(planned, lane),
            time_func,
            inner_loops=len(planned.snapshots),
            metadata={"toolchain": lane.toolchain, "trace_sha256": planned.content_hash},
        )
        self._benchmarks.append(benchmark)

    def _samples(self, elapsed: dict[str, NDArray[np.float64]]) -> Samples:
        return Samples(elapsed, pyperf.BenchmarkSuite(self._benchmarks))


def _replay(rounds: Rounds, lane: int) -> Callable[[int], float]:
    """Return a time function that hands out one round after the other for ``lane``."""
    counter = itertools.count()
    return lambda calls: rounds.seconds(next(counter), lane)


def calibrated_calls(samples: Samples) -> dict[str, int]:
    """Return what :meth:`Worker.check_and_calibrate` found, by benchmark name."""
    return {
        benchmark.get_name(): int(benchmark.get_metadata()["calibrate_loops"])
        for benchmark in samples.suite
    }


def main(arguments: Sequence[str]) -> int:
    """Run one process: ``PARENT PLAN FOLDER INDEX [TRACE...]``; index 0 checks and calibrates."""
    parent, plan_path, folder, index, *keys = arguments
    target = Path(folder)
    end_with_parent(int(parent))
    try:
        plan = Plan.from_json(Path(plan_path).read_text(encoding="utf-8"))
        worker = Worker(plan, Path(plan_path).parent, int(index))
        if int(index) == 0:
            samples = worker.check_and_calibrate()
        else:
            samples = worker.measure(calibrated_calls(read_samples(samples_path(target, 0))), keys)
        write_samples(samples_path(target, int(index)), samples)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
