"""History: the speedups of many stored results, in the order in which they were measured."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyperf

from harness.base.errors import BadInput
from harness.results.design import Design, design_of
from harness.results.environment import read_environment
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
        folders: of results, or of folders that hold results.

    Raises:
        BadInput: a folder has no results, or they cannot be read.
    """
    found = [result for folder in folders for result in _results_in(folder)]
    tables = [judged(read_table(folder, SPEEDUPS)).copy() for folder in found]
    environments = [read_environment(folder) for folder in found]
    cpus = _names([design_of(environment["cpu"]) for environment in environments])
    parts = [_placed(*one) for one in zip(found, tables, environments, cpus, strict=True)]
    rows = pd.concat(parts, ignore_index=True).sort_values("date", kind="stable")
    return rows.reset_index(drop=True)


def _results_in(folder: Path) -> list[Path]:
    """Return ``folder``, or the results that lie in it if it is none itself."""
    if not (folder / SPEEDUPS).exists():
        return [path.parent for path in sorted(folder.glob(f"*/{SPEEDUPS}"))] or [folder]
    return [folder]


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
    folder: Path, rows: pd.DataFrame, environment: Mapping[str, Any], cpu: str
) -> pd.DataFrame:
    """Return the rows of a result with when, what and where it was measured."""
    versions = {made["name"]: made["version"] for made in environment["toolchains"]}
    rows["date"] = measured_at(folder, environment)
    rows["git_commit"] = environment.get("git_commit", "unknown")
    rows["cpu"] = cpu
    rows["compiler"] = rows["toolchain"].map(versions).fillna("")
    rows["results"] = folder.name
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
