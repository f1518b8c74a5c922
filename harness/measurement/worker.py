"""One measuring process: rounds in which all variants take turns, timed for pyperf.

How pairing and pyperf fit together. pyperf measures one benchmark after the other, also inside a
worker process; then everything that changes meanwhile (clock frequency, a neighbour, the cache)
ends up in the ratio of two of them. Here all variants of a trace are timed together: a *round* is a
pass over the snapshots, and on each snapshot the variants are called one directly after the other,
in an order drawn anew for each snapshot; those that are compared with one original follow each
other. What two calls some ten microseconds apart see of the machine is nearly the same, so it
cancels in their ratio.

The snapshots too are visited in an order drawn anew for each round. Two that follow each other in
a migration are nearly alike, and a branch predictor that has just seen the one knows the other; in
a migration there are 100 ms of other work between them, after which it does not.
``docs/statistics.md`` has what this changes.

pyperf still drives. For each variant it calls a time function for every warm-up and value, as it
does for any benchmark, calibrates the number of calls, and collects the metadata. The first
function that is asked for a round measures it for all variants; the others hand out what that round
had found for them. So every variant has pyperf's runs, in pyperf's file, and the k-th values of two
variants in a process are a pair. Processes are started one by one by the experiment
(:mod:`harness.measurement.experiment`) rather than by pyperf's manager, which fixes their number
before the first of them; each has an address layout of its own, which is why there are several.

``loops`` in pyperf's file is the number of calls between two readings of the clock: 1 unless maps
are so small that reading the clock would be seen. More than one shows the branch predictor the same
map again, which a migration never does.
"""

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyperf
from numpy.typing import NDArray

from harness.measurement.ending import Ending, Kind, ending_path, write_ending
from harness.measurement.plan import Lane, Plan, PlannedTrace
from harness.measurement.rounds import Callee, Rounds, time_pass
from harness.measurement.samples import (
    Samples,
    failures_path,
    place_path,
    read_samples,
    samples_path,
    write_samples,
)
from harness.native.loaded_variant import load_variant
from harness.native.operation import Operation, find_operation
from harness.native.peers import PEERS
from harness.native.stopwatch import (
    Place,
    Snapshots,
    StartsProcess,
    Stopwatch,
    make_snapshots,
    shared_place,
)
from harness.trial.failure import Failure, add_failures, read_failures
from harness.trial.trial import Trial, TrialBroken
from workloads.errors import BadInput
from workloads.guest import GuestMemory
from workloads.processes import end_with_parent, has_children
from workloads.trace import open_trace

CLOCK_SHARE = 0.01  # of a timed interval that reading the clock may take


class VariantFailed(Exception):
    """A variant has gone astray while it was timed; the failures have it."""


class Worker:
    """Does what the plan says, for one process."""

    def __init__(self, plan: Plan, base: Path, index: int, failures: Path, place: Place) -> None:
        self._plan = plan
        self._base = base
        self._index = index
        self._failures = failures
        self._place = place
        self._operation = find_operation(plan.operation)
        self._runner = pyperf.Runner()
        self._benchmarks: list[pyperf.Benchmark] = []
        self._numbers = plan.sound_lanes(read_failures(failures))
        self._callees: list[Callee] = []

    def check_and_calibrate(self) -> Samples:
        """Try every variant on every snapshot, then let pyperf find the number of calls."""
        self._try_variants()
        self._numbers = self._plan.sound_lanes(read_failures(self._failures))
        self._load_callees()
        self._parse("--calibrate-loops", "--values=1", "--warmups=0")
        for planned in self._plan.traces:
            stopwatch, snapshots = self._load(planned)
            # What changes the map can be called once only; any time is long enough then.
            wanted = 0.0 if stopwatch.changes_map else stopwatch.clock_cost() / CLOCK_SHARE
            self._runner.args.min_time = wanted * len(snapshots)
            turns = np.arange(len(snapshots)), np.zeros((len(snapshots), 1), np.uint8)
            for number, callee in zip(self._numbers, self._callees, strict=True):

                def time_calls(calls: int) -> float:
                    self._place.alone = number + 1  # noqa: B023
                    elapsed, results = time_pass(stopwatch, snapshots, [callee], [calls], *turns)  # noqa: B023
                    self._check_results(planned, snapshots, [number], results)  # noqa: B023
                    return float(elapsed.sum()) * 1e-9

                self._benchmark(planned, self._plan.lanes[number], time_calls)
        self._place.alone = 0
        return self._samples({})

    def measure(self, calls: dict[str, int], keys: Sequence[str]) -> Samples:
        """Measure the traces ``keys`` with ``calls`` (by benchmark name) between clock readings.

        Lanes that have failed are NaN in what it returns.
        """
        plan = self._plan
        if plan.one_cpu:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self._load_callees()
        self._parse("--loops=1", f"--values={plan.rounds}", f"--warmups={plan.warmups}")
        elapsed = {}
        for planned in plan.traces:
            if planned.key not in keys:
                continue
            stopwatch, snapshots = self._load(planned)
            lanes = [plan.lanes[number] for number in self._numbers]
            lane_calls = [plan.calls(calls, planned, lane) for lane in lanes]
            random = self._random(planned)
            originals = [lane.original for lane in lanes]
            rounds = Rounds(stopwatch, snapshots, self._callees, lane_calls, originals, random)
            for place, lane in enumerate(lanes):
                self._runner.args.loops = lane_calls[place]
                self._benchmark(planned, lane, _replay(rounds, place))
            for results in rounds.results:
                self._check_results(planned, snapshots, self._numbers, results)
            found = np.full((plan.rounds, len(plan.lanes), len(snapshots)), np.nan)
            found[:, self._numbers] = rounds.calls_seconds(plan.warmups)
            elapsed[planned.key] = found
        return self._samples(elapsed)

    def _parse(self, *options: str) -> None:
        self._runner.parse_args(["--worker", *options])

    def _random(self, planned: PlannedTrace) -> np.random.Generator:
        place = self._plan.traces.index(planned)
        return np.random.default_rng([self._plan.seed, self._index, place])

    def _load_callees(self) -> None:
        for number in self._numbers:
            lane = self._plan.lanes[number]
            callee = PEERS[lane.variant] if lane.peer else load_variant(self._base / lane.library)
            if has_children():
                self._fail(number, self._plan.traces[0], 0, "starts a process when loaded")
                raise VariantFailed
            self._callees.append(callee)

    def _load(self, planned: PlannedTrace) -> tuple[Stopwatch, Snapshots]:
        plan = self._plan
        self._place.trace = plan.traces.index(planned)
        memory, snapshots = load_snapshots(planned, self._base, self._operation)
        kinds = [lane.map for lane in plan.lanes]
        path = self._base / plan.stopwatch
        return Stopwatch(path, memory, kinds, self._operation, self._place), snapshots

    def _try_variants(self) -> None:
        """Put every variant on trial, and those that go astray among the failures."""
        plan = self._plan
        for planned in plan.traces:
            memory, snapshots = load_snapshots(planned, self._base, self._operation)
            libraries = self._base / plan.stopwatch, self._base / plan.trial
            trial = Trial(*libraries, self._operation, memory, snapshots)
            for number in plan.sound_lanes(read_failures(self._failures)):
                lane = plan.lanes[number]
                if lane.peer or lane.noise_floor:
                    continue
                try:
                    found = trial.find_fault(self._base / lane.library, lane.map, lane.bound)
                except TrialBroken as error:
                    raise TrialBroken(f"{error}; on trial was {lane.variant}") from None
                if found:
                    self._fail(number, planned, found.snapshot, found.what)

    def _fail(self, number: int, planned: PlannedTrace, snapshot: int, what: str) -> None:
        if self._plan.lanes[number].noise_floor:
            number = self._plan.lanes[number].original  # it is the same code
        lane = self._plan.lanes[number]
        failure = Failure(number, lane.variant, lane.toolchain, planned.key, snapshot, what)
        # Of an original nothing is written down, so that the run can be gone on with.
        self._plan.sound_lanes([failure])
        add_failures(self._failures, [failure])

    def blame_for_process(self) -> None:
        """Add the variant that has started a process when it was timed to the failures."""
        place = self._place
        native = [number for number in self._numbers if not self._plan.lanes[number].peer]
        number = place.alone - 1 if place.alone else native[place.forked - 1]
        what = "starts a process when timed"
        self._fail(number, self._plan.traces[place.trace], place.snapshot, what)

    def _check_results(
        self,
        planned: PlannedTrace,
        snapshots: Snapshots,
        numbers: Sequence[int],
        results: NDArray[np.uint64],
    ) -> None:
        """Check what timed calls returned, (lanes, snapshots), as in the trial.

        Raises:
            VariantFailed: one is wrong.
        """
        for number, found in zip(numbers, results, strict=True):
            lane = self._plan.lanes[number]
            wrong = np.flatnonzero(found != snapshots.right)
            if len(wrong) and not lane.bound:
                first = int(wrong[0])
                what = self._operation.wrong(int(found[first]), int(snapshots.right[first]))
                self._fail(number, planned, int(snapshots.numbers[first]), f"{what} when timed")
                raise VariantFailed

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


def load_snapshots(
    planned: PlannedTrace, base: Path, operation: Operation
) -> tuple[GuestMemory, Snapshots]:
    """Read the snapshots of a planned trace under ``base``, for ``operation``.

    Raises:
        BadInput: the trace is another one by now, or damaged.
    """
    trace = open_trace(base / planned.path)
    if trace.content_hash != planned.content_hash:
        raise BadInput(f"trace {trace.path} has changed since the run was planned; start anew.")
    bitmaps = list(trace.bitmaps(planned.snapshots))
    return trace.source.memory, make_snapshots(bitmaps, planned.snapshots, operation)


def _replay(rounds: Rounds, place: int) -> Callable[[int], float]:
    """Return a time function that hands out one round after the other for a callee."""
    counter = itertools.count()
    return lambda calls: rounds.seconds(next(counter), place)


def calibrated_calls(samples: Samples) -> dict[str, int]:
    """Return what :meth:`Worker.check_and_calibrate` found, by benchmark name."""
    return {
        benchmark.get_name(): int(benchmark.get_metadata()["calibrate_loops"])
        for benchmark in samples.suite
    }


def main(arguments: Sequence[str]) -> int:
    """Run one process: ``PARENT PLAN FOLDER INDEX [TRACE...]``; index 0 checks and calibrates.

    Paths are absolute, as a variant may change the folder.
    """
    parent, plan_path, name, index, *keys = arguments
    folder, process = Path(name), os.getpid()
    end_with_parent(int(parent))
    try:
        _measure(Path(plan_path), folder, int(index), keys)
        ending = Ending(Kind.DONE)
    except BadInput as error:
        ending = Ending(Kind.REFUSED, str(error))
    except VariantFailed:
        ending = Ending(Kind.FAILED)
    except Exception as error:
        ending = Ending(Kind.BROKEN, f"{type(error).__name__}: {error}")
    if os.getpid() != process:
        os._exit(0)  # a process that a variant has started speaks for nobody
    write_ending(ending_path(folder), ending)
    return 0


def _measure(plan_path: Path, folder: Path, index: int, keys: Sequence[str]) -> None:
    """Do what the plan says for process ``index``, and write its samples."""
    plan = Plan.from_json(plan_path.read_text(encoding="utf-8"))
    process = os.getpid()
    with shared_place(place_path(folder)) as place:
        worker = Worker(plan, plan_path.parent, index, failures_path(folder), place)
        try:
            if index == 0:
                samples = worker.check_and_calibrate()
            else:
                calls = calibrated_calls(read_samples(samples_path(folder, 0)))
                samples = worker.measure(calls, keys)
        except StartsProcess:
            worker.blame_for_process()
            raise VariantFailed from None
    if os.getpid() == process:
        write_samples(samples_path(folder, index), samples)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
