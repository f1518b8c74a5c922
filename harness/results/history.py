"""History: the speedups of many stored results, in the order in which they were measured."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.errors import BadInput
from harness.results.design import Design, design_of
from harness.results.environment import AFTER_OTHER_WORK, before_each, read_environment
from harness.results.members import suite_of
from harness.results.pack import SUFFIX
from harness.results.result import SPEEDUPS, read_table
from harness.results.speedups import judged
from harness.results.suite import read_start
from harness.results.unpacked import opened

HISTORY = "history.csv"
_COLUMNS = (
    *("date", "git_commit", "cpu", "compiler", "results"),
    *("condition", "origin", "variant", "toolchain", "operation", "original"),
    *("speedup", "speedup_low", "speedup_high", "claim_low", "claim_high"),
)


@dataclasses.dataclass(frozen=True)
class History:
    """What was measured over time."""

    rows: pd.DataFrame
    """Of all results, oldest first, noise floors left out; the columns are those of
    ``speedups.csv`` that a history needs, with when (``date``, UTC), what (``git_commit``) and
    where (``cpu``, ``compiler``) each was measured."""
    doubles: tuple[tuple[Path, Path], ...]
    """Where results lie that were left out, as they are there twice, and where the others do."""


@dataclasses.dataclass(frozen=True)
class _Result:
    path: Path
    """Of its folder, or of its pack."""
    rows: pd.DataFrame
    environment: Mapping[str, Any]
    date: datetime

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name.removesuffix(SUFFIX) if self.path.is_file() else self.path.name

    @property
    def held(self) -> Hashable:
        """What a result and a pack of it have in common, and no two results.

        A pack has no more names than what names nobody's machine, but all numbers.
        """
        numbers = self.rows[["speedup", "speedup_low", "speedup_high"]]
        return self.date, design_of(self.environment["cpu"]), numbers.to_numpy().tobytes()


def read_history(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all results in ``folders``; see :func:`gather`."""
    return gather(folders).rows


def gather(folders: Sequence[Path]) -> History:
    """Return what all results in ``folders`` have measured, each taken once.

    Args:
        folders: of results, packed results, or folders that hold either.

    Raises:
        BadInput: one has no results, or they cannot be read.
    """
    by_held: dict[Hashable, _Result] = {}
    doubles = []
    for path in (path for folder in folders for path in _results_in(folder)):
        result = _read(path)
        first = by_held.setdefault(result.held, result)
        if first is not result:
            doubles.append((path, first.path))
    results = list(by_held.values())
    cpus = _names([design_of(result.environment["cpu"]) for result in results])
    parts = [_placed(result, cpu) for result, cpu in zip(results, cpus, strict=True)]
    rows = pd.concat(parts, ignore_index=True).sort_values("date", kind="stable")
    return History(rows.reset_index(drop=True), tuple(doubles))


def _results_in(path: Path) -> list[Path]:
    """Return the results at ``path``, packed or not: itself, or those in it if it is none."""
    if path.is_dir() and not (path / SPEEDUPS).exists():
        inside = {one.parent for one in path.glob(f"*/{SPEEDUPS}")}
        return sorted(inside.union(path.glob(f"*{SUFFIX}"))) or [path]
    return [path]


def _read(path: Path) -> _Result:
    with opened(path) as folder:
        rows = judged(read_table(folder, SPEEDUPS)).copy()
        environment = read_environment(folder)
        return _Result(path, rows, environment, measured_at(folder, environment))


def _names(designs: Sequence[Design]) -> list[str]:
    """Return what each CPU is called; two that are told apart are not called alike.

    A result that says less of its CPU than another, as those of earlier versions do, is taken for
    of the same where nothing that it says is otherwise.
    """
    known: dict[Design, str] = {}
    for design in sorted(dict.fromkeys(designs), key=lambda one: one.known, reverse=True):
        if any(map(design.fits, known)):
            continue
        alike = sum(one.name == design.name for one in known)
        known[design] = f"{design.name} [{alike + 1}]" if alike else design.name
    return [next(name for one, name in known.items() if one.fits(design)) for design in designs]


def _placed(result: _Result, cpu: str) -> pd.DataFrame:
    """Return the rows of a result with when, what and where it was measured."""
    rows, environment = result.rows, result.environment
    versions = {made["name"]: made["version"] for made in environment["toolchains"]}
    rows["date"] = result.date
    rows["git_commit"] = environment.get("git_commit", "unknown")
    # What lay between two calls decides speedups as a CPU does, and so makes series of their own.
    before = before_each(environment)
    rows["cpu"] = f"{cpu}, {before}" if before not in ("", AFTER_OTHER_WORK) else cpu
    rows["compiler"] = rows["toolchain"].map(versions).fillna("")
    rows["results"] = result.name
    return rows[list(_COLUMNS)]


def measured_at(folder: Path, environment: Mapping[str, Any]) -> datetime:
    """Return when a result was measured (UTC); those of earlier versions say so in pyperf's file.

    Raises:
        BadInput: neither says so, or pyperf's cannot be read.
    """
    try:
        if "date" in environment:
            return datetime.fromisoformat(str(environment["date"])).replace(tzinfo=None)
    except ValueError as error:
        raise BadInput(f"{folder} does not say when it was measured ({error}).") from None
    suite = suite_of(folder)
    started = read_start(suite) if suite.exists() else None
    if started is None:
        raise BadInput(f"{folder} does not say when it was measured; leave it out.")
    return started
