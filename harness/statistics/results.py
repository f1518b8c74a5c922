"""Results: the rows of a run, in files that other programs read."""

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
import pyperf

from harness.claims.claim import find_claim
from harness.claims.verdict import verdict
from harness.machine.environment import ENVIRONMENT
from harness.measurement.experiment import Outcome
from harness.measurement.plan import Plan, PlannedTrace
from harness.statistics.interval import Seconds, centre, snapshot_log_speedups
from harness.statistics.tables import Positive, Whole, check_interval, read_rows
from workloads.errors import BadInput
from workloads.files import write_text
from workloads.trace import Trace, open_trace
from workloads.trace_header import Origin

SPEEDUPS, SNAPSHOTS, PROCESSES = "speedups.csv", "snapshots.csv", "processes.csv"
_PRIVATE = ("hostname", "python_executable", "python_config_args")
PYPERF = "pyperf.json"


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


@dataclasses.dataclass(frozen=True)
class ProcessRow:
    """One variant on one trace in one process; the columns of ``processes.csv``, in this order."""

    trace: str
    """The key: the name and the origin."""
    variant: str
    toolchain: str
    speedup: Positive


def process_rows(plan: Plan, outcome: Outcome) -> list[ProcessRow]:
    """Return the speedup in each process, which is what comparing two runs starts from."""
    return [
        ProcessRow(key, plan.lanes[lane].label, plan.lanes[lane].toolchain, float(np.exp(log)))
        for (key, lane), logs in outcome.logs.items()
        for log in logs
    ]


def make_rows(plan: Plan, base: Path, outcome: Outcome) -> tuple[list[Row], list[SnapshotRow]]:
    """Sum up ``outcome``, whose plan and traces lie in ``base``."""
    rows: list[Row] = []
    snapshot_rows: list[SnapshotRow] = []
    for planned in plan.traces:
        trace = open_trace(base / planned.path)
        elapsed = outcome.elapsed(planned.key)
        if not elapsed:  # every variant had gone astray before it was measured
            continue
        rows += [
            _row(planned, trace, outcome, plan, number, elapsed)
            for _, number in plan.pairs()
            if (planned.key, number) in outcome.speedups
        ]
        sound = plan.sound_lanes(outcome.failures)
        snapshot_rows += _snapshot_rows(planned, trace, plan, sound, elapsed)
    return rows, snapshot_rows


def _row(
    planned: PlannedTrace,
    trace: Trace,
    outcome: Outcome,
    plan: Plan,
    number: int,
    elapsed: Sequence[Seconds],
) -> Row:
    lane = plan.lanes[number]
    original = plan.lanes[lane.original]
    interval = outcome.speedups[planned.key, number]
    logs = [snapshot_log_speedups(e[:, lane.original], e[:, number]) for e in elapsed]
    per_snapshot = np.exp(centre(np.array(logs)))
    original_seconds = float(typical_seconds(elapsed, lane.original).mean())
    claim = find_claim(plan.operation, original.variant, lane.variant, trace.source.condition)
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
        snapshot_speedup_min=float(per_snapshot.min()),
        snapshot_speedup_max=float(per_snapshot.max()),
        claim_low=claim.low if claim else None,
        claim_high=claim.high if claim else None,
        verdict=verdict(interval.low, interval.high, claim) if claim else "",
        operation=plan.operation,
        original=original.variant,
        claim=claim.name if claim else "",
        noise_floor=lane.noise_floor,
        processes=outcome.processes[planned.key],
        stopped=outcome.stopped[planned.key, number],
        map=lane.map,
        bound=lane.bound,
        paid_in=lane.paid_in,
        original_toolchain=original.toolchain,
    )


def typical_seconds(elapsed: Sequence[Seconds], lane: int) -> Seconds:
    """Return the typical seconds of a call on each snapshot: medians in and over processes."""
    return np.asarray(np.median([np.median(e[:, lane], axis=0) for e in elapsed], axis=0))


def _snapshot_rows(
    planned: PlannedTrace,
    trace: Trace,
    plan: Plan,
    lanes: Sequence[int],
    elapsed: Sequence[Seconds],
) -> list[SnapshotRow]:
    runs = [
        dirty_runs(np.unpackbits(bitmap, bitorder="little"))
        for bitmap in trace.bitmaps(planned.snapshots)
    ]
    rows = []
    for number in lanes:
        lane = plan.lanes[number]
        typical = typical_seconds(elapsed, number).tolist()
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
                )
            )
    return rows


def dirty_runs(dirty: np.ndarray[Any, np.dtype[np.uint8]]) -> int:
    """Return how many runs of 1 there are in ``dirty`` (0 or 1 each)."""
    return int(dirty[0]) + int(np.count_nonzero(dirty[1:] > dirty[:-1]))


def merge_suites(outcome: Outcome) -> pyperf.BenchmarkSuite:
    """Join the pyperf runs of all processes.

    What is private is taken out first: pyperf takes runs that another spelling of the interpreter
    has made for incompatible.
    """
    suites = [_public(samples.suite) for samples in outcome.samples]
    for other in suites[1:]:
        suites[0].add_runs(other)
    return suites[0]


def _public(suite: pyperf.BenchmarkSuite) -> pyperf.BenchmarkSuite:
    text = io.StringIO()
    suite.dump(text)
    return pyperf.BenchmarkSuite.loads(without_private(text.getvalue()))


def without_private(suite: str) -> str:
    """Return pyperf's JSON without what names a person's machine and folders.

    Results are published, and neither says anything about a measurement.
    """
    document = json.loads(suite)
    runs = [run for benchmark in document["benchmarks"] for run in benchmark["runs"]]
    for holder in (document, *document["benchmarks"], *runs):
        for name in _PRIVATE:
            holder.get("metadata", {}).pop(name, None)
    return json.dumps(document, separators=(",", ":")) + "\n"


def write_results(
    folder: Path, plan: Plan, base: Path, outcome: Outcome, environment: dict[str, Any]
) -> None:
    """Write the files of a run, whose plan and traces lie in ``base``, to ``folder``.

    Raises:
        BadInput: a file cannot be written.
    """
    rows, snapshot_rows = make_rows(plan, base, outcome)
    suite = io.StringIO()
    merge_suites(outcome).dump(suite)
    write_text(folder / PYPERF, without_private(suite.getvalue()))
    write_text(folder / SNAPSHOTS, _csv(snapshot_rows))
    write_text(folder / PROCESSES, _csv(process_rows(plan, outcome)))
    write_text(folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
    # Last, because it is what others look for.
    write_text(folder / SPEEDUPS, _csv(rows))


def describe_layout(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Return how the measurement was laid out, for ``environment.json``."""
    return {
        "processes": dict(outcome.processes),
        "rounds": plan.rounds,
        "warmups": plan.warmups,
        "precision": plan.precision,
        "traces": {trace.key: trace.content_hash for trace in plan.traces},
        "left_out": list(plan.left_out),
        "failures": [failure.sentence() for failure in outcome.failures],
    }


def _csv(rows: Sequence[Row] | Sequence[SnapshotRow] | Sequence[ProcessRow]) -> str:
    frame = pd.DataFrame([dataclasses.asdict(row) for row in rows])
    return str(frame.to_csv(index=False, float_format="%.9g"))


_KINDS: Mapping[str, type[Any]] = {
    SPEEDUPS: Row,
    SNAPSHOTS: SnapshotRow,
    PROCESSES: ProcessRow,
}


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read ``speedups.csv``, ``snapshots.csv`` or ``processes.csv`` of a run.

    Raises:
        BadInput: it is not there, or is no such table.
    """
    path = folder / name
    try:
        return read_rows(path, _KINDS[name], _completed if name == SPEEDUPS else None)
    except OSError as error:
        raise BadInput(
            f"there are no results in {folder} ({path.name}: {error.strerror}); run "
            "'dirtyscan bench' first, or name another folder."
        ) from None


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``speedups.csv`` with the columns that results of earlier versions lack."""
    if "map" not in table and {"variant", "toolchain"} <= set(table):
        table["map"] = "byte map"
        table["bound"] = table["variant"] == "read_limit"
        table["original_toolchain"] = table["toolchain"]
    if "paid_in" not in table:
        table["paid_in"] = ""
    return table
