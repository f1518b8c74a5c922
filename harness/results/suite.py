"""Pyperf's file of a result: what was timed of each variant on each trace, and when."""

import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.results.members import read_member

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class _Run(msgspec.Struct):
    metadata: dict[str, Any] = {}
    rounds: list[_Seconds] = msgspec.field(default=[], name="values")


class _Benchmark(msgspec.Struct):
    runs: list[_Run]
    metadata: dict[str, Any] = {}


class _Suite(msgspec.Struct):
    benchmarks: list[_Benchmark]
    metadata: dict[str, Any] = {}


class Timed(typing.NamedTuple):
    """What pyperf's file has of one variant on one trace."""

    rounds: list[list[float]]
    """Seconds of a call, by process."""
    calibrations: int
    trace_hash: str


def read_suite(path: Path) -> dict[str, Timed]:
    """Read pyperf's file by the names of its benchmarks: trace key, label, toolchain.

    Raises:
        BadInput: it is damaged.
    """
    data = read_member(path)
    try:
        suite = decode_json(data, _Suite)
        found = {}
        for benchmark in suite.benchmarks:
            about = {**suite.metadata, **benchmark.metadata}
            rounds = [run.rounds for run in benchmark.runs if run.rounds]
            calibrations = sum("calibrate_loops" in run.metadata for run in benchmark.runs)
            name = str(about["name"])
            if name in found:
                raise ValueError(f"{name} is there twice")
            found[name] = Timed(rounds, calibrations, str(about.get("trace_sha256", "")))
    except (ValueError, KeyError) as error:
        raise BadInput(f"{path} is damaged ({error}); measure anew.") from None
    return found


def read_start(path: Path) -> datetime | None:
    """Return when the first of its runs was made; None if none says so.

    Raises:
        BadInput: it is damaged.
    """
    data = read_member(path)
    try:
        suite = decode_json(data, _Suite)
        dates = [datetime.fromisoformat(str(date)) for date in _dates(suite)]
        return min((date.replace(tzinfo=None) for date in dates), default=None)
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({error}); measure anew.") from None


def _dates(suite: _Suite) -> Iterator[object]:
    """Yield the date of each run; what all have in common pyperf writes down but once."""
    for benchmark in suite.benchmarks:
        for run in benchmark.runs:
            about: Mapping[str, Any] = {**suite.metadata, **benchmark.metadata, **run.metadata}
            if "date" in about:
                yield about["date"]
