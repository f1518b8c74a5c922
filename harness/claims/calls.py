"""Single calls: the speedup of each, which is what a range over calls is judged by."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TRACE = ["condition", "origin", "toolchain", "variant"]
"""The columns that say whose calls they are."""


def single_calls(speedups: pd.DataFrame, snapshots: pd.DataFrame) -> pd.DataFrame:
    """Return the calls of the variants in ``speedups.csv``, from ``snapshots.csv``.

    Results of earlier versions have no speedup of a call; there it is the ratio of the typical
    times, which is what it was then taken for.

    Returns:
        A row a call: what :data:`TRACE` names, ``snapshot``, ``tick_ms``, ``remaining_pages``,
        ``dirty_runs`` and ``speedup``.
    """
    names = speedups[[*TRACE, "original", "original_toolchain"]]
    calls = snapshots.merge(names, on=TRACE)
    if calls["speedup"].isna().any():
        place = ["condition", "origin", "snapshot"]
        own = [*place, "original", "original_toolchain"]
        taken = [*place, "variant", "toolchain"]
        originals = snapshots[[*taken, "seconds"]].rename(columns={"seconds": "original_seconds"})
        originals = originals.rename(
            columns={"variant": "original", "toolchain": "original_toolchain"}
        )
        calls = calls.merge(originals, on=own, how="left")
        ratios = calls["original_seconds"] / calls["seconds"]
        calls["speedup"] = calls["speedup"].fillna(ratios)
    kept = [*TRACE, "snapshot", "tick_ms", "remaining_pages", "dirty_runs", "speedup"]
    return calls[kept]


def calls_of(row: Mapping[Hashable, Any], calls: pd.DataFrame) -> NDArray[np.float64]:
    """Return the speedups of the single calls of a row of ``speedups.csv``, (calls,).

    Args:
        calls: see :func:`single_calls`.
    """
    same = np.logical_and.reduce([calls[name] == row[name] for name in TRACE])
    return calls.loc[same, "speedup"].to_numpy(np.float64)
