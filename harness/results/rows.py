"""The rows of a run: what its tables hold, a dataclass each."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.claims.claim import Claim, find_claim
from harness.claims.verdict import Figures, judge, remark, shares, usual_range
from harness.measurement.plan import PlannedTrace
from harness.measurement.run import Run
from harness.results.quiet import find_quiet
from harness.results.tables import Positive, Whole, check_interval
from harness.statistics.interval import snapshot_speedups
from workloads.trace import Trace, open_trace
from workloads.trace_header import Origin


@dataclasses.dataclass(frozen=True)
class Row:
    """One variant on one trace; the columns of ``speedups.csv``, in this order."""

    condition: str
    origin: Origin
    variant: str
    toolchain: str
    guest_memory_bytes: Whole
    snapshots: Whole
    original_seconds: Positive
    """Of one call, the mean over the snapshots of each snapshot's typical time."""
    variant_seconds: Positive
    speedup: Positive
    speedup_low: Annotated[float, msgspec.Meta(ge=0)]
    speedup_high: Annotated[float, msgspec.Meta(gt=0)]
    snapshot_speedup_min: Positive
    snapshot_speedup_max: Positive
    claim_low: float | None
    claim_high: float | None
    verdict: str
    operation: str
    original: str
    claim: str
    noise_floor: bool
    processes: Whole
    stopped: Annotated[str, msgspec.Meta(pattern=r"\A(precise|budget)\Z")]
    map: str
    """The representation that the variant looks at; the original's is a byte map."""
    bound: bool
    """Whether it does less than the operation, to show a limit."""
    paid_in: str
    """Operations that bear the variant's cost in its place: its speedup says nothing then."""
    original_toolchain: str
    placement_low: float | None
    """The speedup at the least favourable placement of the two, and at the most favourable; empty
    if the variant's was not varied."""
    placement_high: float | None
    verdict_share: float | None
    """The share of placements that have the verdict; empty without one, or if they do not vary."""
    calls_low: float | None
    """The range of the speedups of single calls, a twentieth left out at either end; empty in
    results of earlier versions."""
    calls_high: float | None
    calls_below: float | None
    """The shares of calls below, within and above the claimed range; empty without a claim."""
    calls_within: float | None
    calls_above: float | None
    remark: str
    """What is to be said beside the verdict."""

    slowed: float | None
    """As :class:`harness.results.quiet.Quiet` has it; empty in results of earlier versions."""
    quiet_speedup: float | None
    quiet_low: float | None
    quiet_high: float | None
    quiet_verdict: str

    def __post_init__(self) -> None:
        check_interval(self)


@dataclasses.dataclass(frozen=True)
class SnapshotRow:
    """One variant on one snapshot; the columns of ``snapshots.csv``, in this order."""

    condition: str
    origin: Origin
    toolchain: str
    guest_memory_bytes: Whole
    snapshot: Whole
    tick_ms: Whole
    remaining_pages: Whole
    dirty_runs: Whole
    variant: str
    seconds: Positive
    speedup: float | None
    """Of this call, 1 for an original; empty in results of earlier versions."""


@dataclasses.dataclass(frozen=True)
class ProcessRow:
    """One variant on one trace in one process; the columns of ``processes.csv``, in this order."""

    trace: str
    """The key: the name and the origin."""
    variant: str
    toolchain: str
    speedup: Positive


def process_rows(run: Run) -> list[ProcessRow]:
    """Return the speedup in each process, which is what comparing two runs starts from."""
    lanes = run.plan.lanes
    return [
        ProcessRow(key, lanes[lane].label, lanes[lane].toolchain, float(np.exp(log)))
        for (key, lane), logs in run.logs.items()
        for log in logs
    ]


def make_rows(run: Run) -> tuple[list[Row], list[SnapshotRow]]:
    """Sum up ``run``, whose traces are still there."""
    rows: list[Row] = []
    snapshot_rows: list[SnapshotRow] = []
    sound = run.plan.sound_lanes(run.failures)
    for planned in run.plan.traces:
        trace = open_trace(run.base / planned.path)
        if not run.elapsed(planned.key):  # every variant had gone astray before it was measured
            continue
        calls = {number: _call_speedups(run, planned.key, number) for number in sound}
        rows += [
            _row(planned, trace, run, number, calls[number])
            for _, number in run.plan.pairs()
            if (planned.key, number) in run.speedups
        ]
        snapshot_rows += _snapshot_rows(planned, trace, run, calls)
    return rows, snapshot_rows


def _row(
    planned: PlannedTrace, trace: Trace, run: Run, number: int, calls: NDArray[np.float64]
) -> Row:
    plan, pair = run.plan, (planned.key, number)
    lane = plan.lanes[number]
    original = plan.lanes[lane.original]
    interval = run.speedups[pair]
    calls_low, calls_high = usual_range(calls)
    original_seconds = float(run.typical_seconds(planned.key, lane.original).mean())
    factors = run.placement_factors(pair)
    claim = find_claim(plan.operation, original.variant, lane.variant, trace.source.condition)
    figures = Figures(interval.value, interval.low, interval.high, calls)
    where = shares(calls, claim) if claim else None
    return Row(
        condition=trace.source.condition or trace.source.name,
        origin=trace.source.origin,
        variant=lane.label,
        toolchain=lane.toolchain,
        guest_memory_bytes=trace.source.memory.size,
        snapshots=len(planned.snapshots),
        original_seconds=original_seconds,
        variant_seconds=original_seconds / interval.value,
        speedup=interval.value,
        speedup_low=interval.low,
        speedup_high=interval.high,
        snapshot_speedup_min=float(calls.min()),
        snapshot_speedup_max=float(calls.max()),
        claim_low=claim.low if claim else None,
        claim_high=claim.high if claim else None,
        verdict=judge(figures, claim) if claim else "",
        operation=plan.operation,
        original=original.variant,
        claim=claim.name if claim else "",
        noise_floor=lane.noise_floor,
        processes=run.processes[planned.key],
        stopped=run.stopped(pair),
        map=lane.map,
        bound=lane.bound,
        paid_in=lane.paid_in,
        original_toolchain=original.toolchain,
        placement_low=_times(interval.value, factors, min),
        placement_high=_times(interval.value, factors, max),
        verdict_share=_verdict_share(figures, factors, claim) if claim else None,
        calls_low=calls_low,
        calls_high=calls_high,
        calls_below=where.below if where else None,
        calls_within=where.within if where else None,
        calls_above=where.above if where else None,
        remark=remark(figures, claim) if claim else "",
        **dataclasses.asdict(find_quiet(run, pair, claim)),
    )


Factors = NDArray[np.float64] | None
"""See :meth:`harness.measurement.run.Run.placement_factors`."""


def _times(speedup: float, factors: Factors, choose: Callable[[NDArray[Any]], Any]) -> float | None:
    """Return the speedup at a placement, that of the least or greatest factor."""
    return None if factors is None else speedup * float(choose(factors.ravel()))


def _verdict_share(figures: Figures, factors: Factors, claim: Claim) -> float | None:
    """Return in which share of placements the verdict is what it is over all."""
    if factors is None:
        return None
    over_all = judge(figures, claim)
    single = (judge(figures.at(factor), claim) for factor in factors.ravel().tolist())
    return sum(one == over_all for one in single) / factors.size


def _call_speedups(run: Run, key: str, number: int) -> NDArray[np.float64]:
    """Return the speedup of a lane on each snapshot of a trace, over all processes."""
    original = run.plan.lanes[number].original  # an original's own, which gives 1 everywhere
    return snapshot_speedups((e[:, original], e[:, number]) for e in run.elapsed(key))


def _snapshot_rows(
    planned: PlannedTrace, trace: Trace, run: Run, calls: Mapping[int, NDArray[np.float64]]
) -> list[SnapshotRow]:
    runs = [
        _dirty_runs(np.unpackbits(bitmap, bitorder="little"))
        for bitmap in trace.bitmaps(planned.snapshots)
    ]
    rows = []
    for number, speedups in calls.items():
        lane = run.plan.lanes[number]
        typical = run.typical_seconds(planned.key, number).tolist()
        for place, snapshot in enumerate(planned.snapshots):
            rows.append(
                SnapshotRow(
                    trace.source.condition or trace.source.name,
                    trace.source.origin,
                    lane.toolchain,
                    trace.source.memory.size,
                    snapshot,
                    trace.ticks_ms[snapshot],
                    trace.remaining[snapshot],
                    runs[place],
                    lane.label,
                    typical[place],
                    float(speedups[place]),
                )
            )
    return rows


def _dirty_runs(dirty: NDArray[np.uint8]) -> int:
    """Return how many runs of 1 there are in ``dirty`` (0 or 1 each)."""
    return int(dirty[0]) + int(np.count_nonzero(dirty[1:] > dirty[:-1]))
