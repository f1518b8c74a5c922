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

pyperf still drives. For each variant it calls a time function for every value, as it
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyperf
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.processes import has_children, possessions
from harness.measurement.astray import Astray
from harness.measurement.interpreter import InterpreterWork
from harness.measurement.plan import Lane, Plan, PlannedTrace
from harness.measurement.rounds import Callee, Rounds, load_snapshots, time_pass
from harness.measurement.samples import Samples
from harness.measurement.tryout import try_variants
from harness.native.loaded_variant import load_variant
from harness.native.operation import find_operation
from harness.native.peers import PEERS
from harness.native.place import NOT_KNOWN, Place
from harness.native.stopwatch import (
    Snapshots,
    Stopwatch,
)

CLOCK_SHARE = 0.01  # of a timed interval that reading the clock may take


class VariantFailed(Exception):
    """A variant has gone astray while it was timed; the failures have it."""


class Worker:
    """Does what the plan says, for one process."""

    def __init__(self, plan: Plan, base: Path, index: int, astray: Astray, place: Place) -> None:
        self._plan = plan
        self._base = base
        self._index = index
        self._astray = astray
        self._place = place
        self._operation = find_operation(plan.operation)
        self._runner = pyperf.Runner()
        self._benchmarks: list[pyperf.Benchmark] = []
        self._numbers = astray.sound_lanes()

    def check_and_calibrate(self) -> Samples:
        """Try every variant on every snapshot, then let pyperf find the number of calls."""
        try_variants(self._plan, self._base, self._astray)
        self._numbers = self._astray.sound_lanes()
        if not self._numbers:
            raise VariantFailed
        callees = self._load_callees()
        self._parse("--calibrate-loops", "--values=1", "--warmups=0")
        had = possessions()
        for planned in self._plan.traces:
            stopwatch, snapshots = self._load(planned)
            # What changes the map can be called once only; any time is long enough then.
            wanted = 0.0 if stopwatch.changes_map else stopwatch.clock_cost() / CLOCK_SHARE
            self._runner.args.min_time = wanted * len(snapshots)
            turns = np.arange(len(snapshots)), np.zeros((len(snapshots), 1), np.uint16)
            for number, callee in zip(self._numbers, callees, strict=True):

                def time_calls(calls: int) -> float:
                    self._place.alone = number + 1  # noqa: B023
                    elapsed, results = time_pass(stopwatch, snapshots, [callee], [calls], *turns)  # noqa: B023
                    self._check_results(planned, snapshots, [number], results)  # noqa: B023
                    if lost := had.lost():
                        first = int(snapshots.numbers[0])  # noqa: B023
                        self._fail(number, planned, first, f"{lost} when timed")  # noqa: B023
                    return float(elapsed.sum()) * 1e-9

                self._benchmark(planned, self._plan.lanes[number], time_calls)
        self._place.alone = 0
        return Samples({}, pyperf.BenchmarkSuite(self._benchmarks), ())

    def measure(self, calls: dict[str, int], keys: Sequence[str]) -> Samples:
        """Measure the traces ``keys`` with ``calls`` (by benchmark name) between clock readings.

        Lanes that have failed are NaN in what it returns.
        """
        plan = self._plan
        if plan.one_cpu:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        callees = self._load_placed()
        self._parse("--loops=1", f"--values={plan.rounds}", "--warmups=0")
        elapsed = {}
        for planned in plan.traces:
            if planned.key not in keys:
                continue
            stopwatch, snapshots = self._load(planned)
            lanes = [plan.lanes[number] for number in self._numbers]
            lane_calls = [plan.calls(calls, planned, lane) for lane in lanes]
            random = self._random(planned)
            originals = [lane.original for lane in lanes]
            seed = int(random.integers(2**32))
            between = InterpreterWork(plan.between, seed) if plan.between else None
            given = stopwatch, snapshots, callees, lane_calls, originals, random
            rounds = Rounds(*given, between, plan.other_work)
            for place, lane in enumerate(lanes):
                self._runner.args.loops = lane_calls[place]
                self._benchmark(planned, lane, _replay(rounds, place))
            for results in rounds.results:
                self._check_results(planned, snapshots, self._numbers, results)
            found = np.full((plan.rounds, len(plan.lanes), plan.parts, len(snapshots)), np.nan)
            found[:, self._numbers] = rounds.calls_seconds()
            elapsed[planned.key] = found
        places = tuple(plan.places(number, self._index) for number in range(len(plan.lanes)))
        return Samples(elapsed, pyperf.BenchmarkSuite(self._benchmarks), places)

    def _parse(self, *options: str) -> None:
        self._runner.parse_args(["--worker", *options])

    def _random(self, planned: PlannedTrace) -> np.random.Generator:
        place = self._plan.traces.index(planned)
        return np.random.default_rng([self._plan.seed, self._index, place])

    def _load_callees(self) -> list[Callee]:
        """Load every lane as it was linked first."""
        return [
            self._load_lane(number, self._plan.lanes[number].library) for number in self._numbers
        ]

    def _load_placed(self) -> list[list[Callee]]:
        """Load every lane at the places that it has in this process, (lanes, classes)."""
        callees = []
        for number in self._numbers:
            lane, places = self._plan.lanes[number], self._plan.places(number, self._index)
            libraries = [lane.placed[place] if lane.placed else lane.library for place in places]
            loaded = {library: self._load_lane(number, library) for library in libraries}
            callees.append([loaded[library] for library in libraries])
        return callees

    def _load_lane(self, number: int, library: str) -> Callee:
        lane = self._plan.lanes[number]
        callee = PEERS[lane.variant] if lane.peer else load_variant(self._base / library)
        if has_children():
            self._fail(number, self._plan.traces[0], 0, "starts a process when loaded")
        return callee

    def _load(self, planned: PlannedTrace) -> tuple[Stopwatch, Snapshots]:
        plan = self._plan
        self._place.trace = plan.traces.index(planned)
        memory, snapshots = load_snapshots(planned, self._base, self._operation)
        kinds = [lane.map for lane in plan.lanes]
        path = self._base / plan.stopwatch
        return Stopwatch(path, memory, kinds, self._operation, self._place), snapshots

    def blame_for_process(self) -> None:
        """Add the variant that has started a process when it was timed to the failures.

        Raises:
            BadInput: it cannot be told which has.
        """
        place = self._place
        native = [number for number in self._numbers if not self._plan.lanes[number].peer]
        if place.forked == NOT_KNOWN and not place.alone:
            names = ", ".join(dict.fromkeys(self._plan.lanes[number].variant for number in native))
            raise BadInput(
                f"one of {names} starts a process when timed, and which cannot be told; measure "
                "each in a run of its own."
            )
        number = place.alone - 1 if place.alone else native[place.forked - 1]
        what = "starts a process when timed"
        self._astray.blame(number, self._plan.traces[place.trace].key, place.forked_on, what)

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

    def _fail(self, number: int, planned: PlannedTrace, snapshot: int, what: str) -> NoReturn:
        self._astray.blame(number, planned.key, snapshot, what)
        raise VariantFailed

    def _benchmark(
        self,
        planned: PlannedTrace,
        lane: Lane,
        time_func: Callable[[int], float],
    ) -> None:
        benchmark = self._runner.bench_time_func(
            self._plan.benchmark_name(planned, lane),
            time_func,
            inner_loops=len(planned.snapshots),
            metadata={"toolchain": lane.toolchain, "trace_sha256": planned.content_hash},
        )
        self._benchmarks.append(benchmark)


def _replay(rounds: Rounds, place: int) -> Callable[[int], float]:
    """Return a time function that hands out one round after the other for a callee."""
    counter = itertools.count()
    return lambda calls: rounds.seconds(next(counter), place)
