"""History: the speedups of many stored results, in the order in which they were measured."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyperf

from harness.base.errors import BadInput
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

    Raises:
        BadInput: a folder has no results, or they cannot be read.
    """
    parts = [_read(folder) for folder in folders]
    rows = pd.concat(parts, ignore_index=True).sort_values("date", kind="stable")
    return rows.reset_index(drop=True)


def _read(folder: Path) -> pd.DataFrame:
    rows = judged(read_table(folder, SPEEDUPS)).copy()
    environment = read_environment(folder)
    versions = {made["name"]: made["version"] for made in environment["toolchains"]}
    rows["date"] = measured_at(folder, environment)
    rows["git_commit"] = environment.get("git_commit", "unknown")
    rows["cpu"] = environment["cpu"]["model"]
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
        suite = pyperf.BenchmarkSuite.load(str(folder / PYPERF))
        dates = suite.get_dates()
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} does not say when it was measured ({error}).") from None
    if dates is None:
        raise BadInput(f"{folder} does not say when it was measured; leave it out.")
    started: datetime = dates[0]
    return started.replace(tzinfo=None)
