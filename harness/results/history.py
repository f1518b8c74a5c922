"""History: the speedups of many stored results, in the order in which they were measured."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyperf

from harness.base.errors import BadInput
from harness.results.design import Design, design_of
from harness.results.environment import AFTER_OTHER_WORK, before_each, read_environment
from harness.results.pack import SUFFIX, read_pack
from harness.results.result import PYPERF, SPEEDUPS, read_table
from harness.results.speedups import judged

HISTORY = "history.csv"
_COLUMNS = (
    *("date", "git_commit", "cpu", "compiler", "results"),
    *("condition", "origin", "variant", "toolchain", "operation", "original"),
    *("speedup", "speedup_low", "speedup_high", "claim_low", "claim_high"),
)


def read_history(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all results in ``folders``, oldest first, noise floors left out.

    Columns are those of ``speedups.csv`` that a history needs, with when (``date``, UTC), what
    (``git_commit``) and where (``cpu``, ``compiler``) each was measured.

    Args:
        folders: of results, packed results, or folders that hold either.

    Raises:
        BadInput: one has no results, or they cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        found = [one for folder in folders for one in _results_in(folder, Path(scratch))]
        tables = [judged(read_table(folder, SPEEDUPS)).copy() for folder, _ in found]
        environments = [read_environment(folder) for folder, _ in found]
        dates = [measured_at(*one) for one in zip((f for f, _ in found), environments, strict=True)]
    names = [name for _, name in found]
    cpus = _names([design_of(environment["cpu"]) for environment in environments])
    parts = [_placed(*one) for one in zip(names, tables, environments, dates, cpus, strict=True)]
    rows = pd.concat(parts, ignore_index=True).sort_values("date", kind="stable")
    return rows.reset_index(drop=True)


def _results_in(path: Path, scratch: Path) -> list[tuple[Path, str]]:
    """Return the folder and the name of each result at ``path``, or in it if it is none itself.

    Packed ones are unpacked into ``scratch``.
    """
    if path.is_file():
        pack = read_pack(path)
        folder = Path(tempfile.mkdtemp(dir=scratch)) / pack.manifest.name
        pack.write(folder)
        return [(folder, path.name.removesuffix(SUFFIX))]
    if not (path / SPEEDUPS).exists():
        inside = [one.parent for one in path.glob(f"*/{SPEEDUPS}")]
        inside += path.glob(f"*{SUFFIX}")
        if inside:
            return [found for one in sorted(inside) for found in _results_in(one, scratch)]
    return [(path, path.name)]


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


def _placed(
    name: str, rows: pd.DataFrame, environment: Mapping[str, Any], date: datetime, cpu: str
) -> pd.DataFrame:
    """Return the rows of a result with when, what and where it was measured."""
    versions = {made["name"]: made["version"] for made in environment["toolchains"]}
    rows["date"] = date
    rows["git_commit"] = environment.get("git_commit", "unknown")
    # What lay between two calls decides speedups as a CPU does, and so makes series of their own.
    before = before_each(environment)
    rows["cpu"] = f"{cpu}, {before}" if before not in ("", AFTER_OTHER_WORK) else cpu
    rows["compiler"] = rows["toolchain"].map(versions).fillna("")
    rows["results"] = name
    return rows[list(_COLUMNS)]


def measured_at(folder: Path, environment: Mapping[str, Any]) -> datetime:
    """Return when a result was measured (UTC); those of earlier versions say so in pyperf's file.

    Raises:
        BadInput: neither says so, or pyperf's cannot be read.
    """
    try:
        if "date" in environment:
            return datetime.fromisoformat(str(environment["date"])).replace(tzinfo=None)
        packed = folder / f"{PYPERF}.gz"  # as results of version 0.1 have it
        suite = pyperf.BenchmarkSuite.load(str(packed if packed.exists() else folder / PYPERF))
        dates = suite.get_dates()
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} does not say when it was measured ({error}).") from None
    if dates is None:
        raise BadInput(f"{folder} does not say when it was measured; leave it out.")
    started: datetime = dates[0]
    return started.replace(tzinfo=None)
