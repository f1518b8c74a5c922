"""Rounds: passes over the snapshots of a trace in which all variants take turns."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.measurement.plan import PlannedTrace
from harness.native.dirty_map import ARRAYS
from harness.native.loaded_variant import LoadedVariant
from harness.native.operation import Operation
from harness.native.peers import Peer
from harness.native.stopwatch import Snapshots, Stopwatch, make_snapshots
from workloads.guest import GuestMemory
from workloads.trace import open_trace

Callee = LoadedVariant | Peer
Elapsed = NDArray[np.uint64]


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


def time_pass(
    stopwatch: Stopwatch,
    snapshots: Snapshots,
    callees: Sequence[Callee],
    calls: Sequence[int],
    visited: NDArray[np.intp],
    order: NDArray[np.uint16],
    other_work: bool = False,
    parts: int = 1,
) -> tuple[Elapsed, Elapsed]:
    """Call every callee on snapshots, as :class:`harness.native.stopwatch.Stopwatch` does.

    Peers cannot be called from C. So where there are some, the variants take turns on all
    snapshots first, then the peers: what an interpreter does between two calls would make the
    original slower, and the patch faster.
    """
    native = [i for i, callee in enumerate(callees) if isinstance(callee, LoadedVariant)]
    peers = {i: callee for i, callee in enumerate(callees) if not isinstance(callee, LoadedVariant)}
    variants = [callee for callee in callees if isinstance(callee, LoadedVariant)]
    if not peers:
        return stopwatch.time_pass(snapshots, variants, calls, visited, order, other_work, parts)
    elapsed = np.zeros((len(callees), len(snapshots)), np.uint64)
    results = np.zeros_like(elapsed)
    of_variants = [calls[i] for i in native]
    turns = np.searchsorted(native, order[np.isin(order, native)]).astype(np.uint16)
    asked = variants, of_variants, visited, turns.reshape(len(visited), -1), other_work, parts
    elapsed[native], results[native] = stopwatch.time_pass(snapshots, *asked)
    for place, visit in zip(visited, order.tolist(), strict=True):
        stopwatch.fill(snapshots.bitmaps[place])
        if other_work:
            stopwatch.do_other_work()
        for i in (i for i in visit if i in peers):
            elapsed[i, place], results[i, place] = _time_peer(stopwatch, peers[i], calls[i])
    return elapsed, results


def _time_peer(stopwatch: Stopwatch, peer: Peer, calls: int) -> tuple[int, int]:
    """Call ``peer`` on the map that the stopwatch holds."""
    stopwatch.clear_away()
    built = peer.build(stopwatch.arrays.view(ARRAYS[peer.map][0]))
    stopwatch.walk(peer.map)
    result = 0
    start = time.perf_counter_ns()
    for _ in range(calls):
        result = peer.count(built)
    return time.perf_counter_ns() - start, result


def draw_order(
    originals: Sequence[int], snapshots: int, random: np.random.Generator
) -> NDArray[np.uint16]:
    """Draw in which order callees are called on each snapshot.

    Those that are compared with the same original follow each other, so that however many others
    take part, a pair is as near in time as if it were alone.

    Args:
        originals: for each callee, a number that stands for what it is compared with.

    Returns:
        (snapshots, callees), each row a permutation.
    """
    kinds, group = np.unique(originals, return_inverse=True)
    turn = random.random((snapshots, len(kinds)))[:, group]
    within = random.random((snapshots, len(group)))
    return np.lexsort((within, turn), axis=1).astype(np.uint16)


class Rounds:
    """Rounds on one trace, each measured when it is first asked for."""

    def __init__(
        self,
        stopwatch: Stopwatch,
        snapshots: Snapshots,
        callees: Sequence[Sequence[Callee]],
        calls: Sequence[int],
        originals: Sequence[int],
        random: np.random.Generator,
        between: Callable[[], None] | None = None,
        other_work: bool = False,
    ) -> None:
        """Measure ``callees``; those with the same number in ``originals`` are compared.

        Args:
            callees: (callees, classes): each at the place that it has in each part of a round.
            between: is called before each snapshot, in place of the stopwatch's other work.
            other_work: whether that comes before each.

        Where either comes, all parts of a round follow it on each snapshot, which is as good as
        doing it for each: what a predictor learns of code at one place is of little use to it at
        another. Otherwise each part is a pass of its own.
        """
        self._stopwatch = stopwatch
        self._snapshots = snapshots
        self._callees = callees
        self._calls = calls
        self._originals = originals
        self._random = random
        self._between = between
        self._other_work = other_work
        self._measured: list[Elapsed] = []
        self.results: list[Elapsed] = []
        """Of each part of a round, what the calls returned, (callees, snapshots)."""

    def seconds(self, round_: int, place: int) -> float:
        """Return the time of all calls of a callee in a part of ``round_``, the mean over parts."""
        while len(self._measured) <= round_:
            self._measure()
        return float(self._measured[round_][place].sum(axis=1).mean()) * 1e-9

    def calls_seconds(self) -> NDArray[np.float64]:
        """Return the seconds of one call, (rounds, callees, classes, snapshots)."""
        elapsed = np.array(self._measured, dtype=np.float64)
        return elapsed * 1e-9 / np.array(self._calls, dtype=np.float64)[:, np.newaxis, np.newaxis]

    def _measure(self) -> None:
        """Go over the snapshots once with every place of the callees."""
        parts = self._random.permutation(len(self._callees[0])).tolist()
        together = self._other_work or self._between
        measured = np.empty((len(self._callees), len(parts), len(self._snapshots)), np.uint64)
        for group in [parts] if together else [[part] for part in parts]:
            elapsed, results = self._time(group)
            measured[:, group] = elapsed
            self.results += list(results.swapaxes(0, 1))
        self._measured.append(measured)

    def _time(self, group: Sequence[int]) -> tuple[Elapsed, Elapsed]:
        """Pass over the snapshots with the callees at some of their places.

        Returns:
            Nanoseconds and results, (callees, group, snapshots).
        """
        size, snapshots = len(group), len(self._snapshots)
        self._stopwatch.move_arrays(self._random)
        visited = self._random.permutation(snapshots)
        alike = [original * size + place for original in self._originals for place in range(size)]
        order = draw_order(alike, snapshots, self._random)
        callees = [places[part] for places in self._callees for part in group]
        calls = np.repeat(self._calls, size).tolist()
        elapsed, results = self._pass(callees, calls, visited, order, size)
        shape = len(self._callees), size, snapshots
        return elapsed.reshape(shape), results.reshape(shape)

    def _pass(
        self,
        callees: Sequence[Callee],
        calls: Sequence[int],
        visited: NDArray[np.intp],
        order: NDArray[np.uint16],
        parts: int,
    ) -> tuple[Elapsed, Elapsed]:
        """Pass over the snapshots, one by one where an interpreter's work comes before each."""
        given = self._stopwatch, self._snapshots, callees, calls
        if not self._between:
            return time_pass(*given, visited, order, self._other_work, parts)
        elapsed = np.zeros((len(callees), len(self._snapshots)), np.uint64)
        results = np.zeros_like(elapsed)
        for place, visit in zip(visited, order, strict=True):
            self._between()
            found = time_pass(*given, place[np.newaxis], visit[np.newaxis], False, parts)
            elapsed[:, place], results[:, place] = (values[:, place] for values in found)
        return elapsed, results
