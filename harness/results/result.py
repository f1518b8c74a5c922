"""A result: the files of a run, which other programs read."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyperf

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.measurement.plan import OTHER_WORK
from harness.measurement.run import Run
from harness.native.toolchain import find_toolchain
from harness.results.environment import ENVIRONMENT, describe_environment
from harness.results.private import PRIVATE
from harness.results.rows import ProcessRow, Row, SnapshotRow, make_rows, process_rows
from harness.results.tables import read_rows

SPEEDUPS, SNAPSHOTS, PROCESSES = "speedups.csv", "snapshots.csv", "processes.csv"
PYPERF = "pyperf.json"
_KINDS: Mapping[str, type[Any]] = {
    SPEEDUPS: Row,
    SNAPSHOTS: SnapshotRow,
    PROCESSES: ProcessRow,
}


def write_result(run: Run, folder: Path, toolchains: Sequence[str] = ()) -> dict[str, Any]:
    """Write the files of ``run`` to ``folder``.

    Args:
        toolchains: names of those that are recorded beside, and before, the run's own.

    Returns:
        The environment that was recorded.

    Raises:
        BadInput: a file cannot be written.
    """
    used = dict.fromkeys((*toolchains, *run.plan.toolchains()))
    made = [find_toolchain(name) for name in used]
    disturbance = dataclasses.replace(run.disturbance, slowed=run.slowed)
    environment = describe_environment(made, _layout(run), disturbance)
    rows, snapshot_rows = make_rows(run)
    suite = io.StringIO()
    _merged_suites(run).dump(suite)
    write_text(folder / PYPERF, _without_private(suite.getvalue()))
    write_text(folder / SNAPSHOTS, _csv(snapshot_rows))
    write_text(folder / PROCESSES, _csv(process_rows(run)))
    write_text(folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
    # Last, because it is what others look for.
    write_text(folder / SPEEDUPS, _csv(rows))
    return environment


def _layout(run: Run) -> dict[str, Any]:
    """Return how the measurement was laid out, for ``environment.json``."""
    plan = run.plan
    return {
        "processes": run.processes,
        "rounds": plan.rounds,
        "warmups": 0,
        "precision": plan.precision,
        "between": plan.between,
        "other_work": OTHER_WORK if plan.other_work else 0,
        "traces": {trace.key: trace.content_hash for trace in plan.traces},
        "left_out": list(plan.left_out),
        "unvaried": list(plan.unvaried),
        "failures": [failure.sentence() for failure in run.failures],
    }


def _merged_suites(run: Run) -> pyperf.BenchmarkSuite:
    """Join the pyperf runs of all processes.

    What is private is taken out first: pyperf takes runs that another spelling of the interpreter
    has made for incompatible.
    """
    suites = [_public(samples.suite) for samples in run.samples]
    for other in suites[1:]:
        suites[0].add_runs(other)
    return suites[0]


def _public(suite: pyperf.BenchmarkSuite) -> pyperf.BenchmarkSuite:
    text = io.StringIO()
    suite.dump(text)
    return pyperf.BenchmarkSuite.loads(_without_private(text.getvalue()))


def _without_private(suite: str) -> str:
    """Return pyperf's JSON without what names a person's machine and folders.

    Results are published, and neither says anything about a measurement.
    """
    document = json.loads(suite)
    runs = [run for benchmark in document["benchmarks"] for run in benchmark["runs"]]
    for holder in (document, *document["benchmarks"], *runs):
        for name in PRIVATE:
            holder.get("metadata", {}).pop(name, None)
    return json.dumps(document, separators=(",", ":")) + "\n"


def _csv(rows: Sequence[Row] | Sequence[SnapshotRow] | Sequence[ProcessRow]) -> str:
    frame = pd.DataFrame([dataclasses.asdict(row) for row in rows])
    return str(frame.to_csv(index=False, float_format="%.9g"))


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read ``speedups.csv``, ``snapshots.csv`` or ``processes.csv`` of a run.

    Raises:
        BadInput: it is not there, or is no such table.
    """
    path = folder / name
    try:
        return read_rows(path, _KINDS[name], _COMPLETED.get(name))
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
    return _with_empty(table, _ADDED, remark="", quiet_verdict="")


def _with_empty(table: pd.DataFrame, names: Sequence[str], **texts: str) -> pd.DataFrame:
    for name in names:
        if name not in table:
            table[name] = float("nan")
    for name, text in texts.items():
        if name not in table:
            table[name] = text
    return table


_ADDED = (
    *("placement_low", "placement_high", "verdict_share"),
    *("calls_low", "calls_high", "calls_below", "calls_within", "calls_above"),
    *("slowed", "quiet_speedup", "quiet_low", "quiet_high"),
)
_COMPLETED: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    SPEEDUPS: _completed,
    SNAPSHOTS: lambda table: _with_empty(table, ("speedup",)),
}
