"""Single calls: the speedup of each, which is what a range over calls is judged by."""

import pandas as pd

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
