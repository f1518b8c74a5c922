"""Which rows of a stored result a section shows."""

from collections.abc import Callable

import pandas as pd

from harness.measurement.plan import AGAIN
from harness.presentation.page.stored import Stored
from harness.presentation.report import MOST_SIDE_BY_SIDE, comparable
from harness.results.speedups import judged
from harness.statistics.spacing import evenly_spaced
from workloads.profile import profile_trace

_POINTS = 100
"""Snapshots of a trace and variant that the page draws; more would not be told apart."""


def measured(result: Stored) -> pd.DataFrame:
    """Return the speedups, without noise floors and what is paid for elsewhere."""
    return judged(result.speedups)


def few(result: Stored) -> pd.DataFrame:
    """Return the rows of the main picture: the claimed variants, if there are many."""
    rows = measured(result)
    if rows["variant"].nunique() <= MOST_SIDE_BY_SIDE:
        return rows
    claimed = rows[rows["claim_low"].notna()]
    return claimed if len(claimed) else rows


def snapshots(result: Stored) -> pd.DataFrame | None:
    """Return the snapshots of those variants, thinned."""
    if result.snapshots is None:
        return None
    rows = result.snapshots[~result.snapshots["variant"].str.endswith(AGAIN)]
    rows = rows[rows["variant"].isin({*few(result)["variant"], *result.speedups["original"]})]
    parts = [_thin(group) for _, group in rows.groupby(["condition", "origin", "toolchain",
                                                        "variant"], sort=False)]  # fmt: skip
    return pd.concat(parts) if parts else None


def _thin(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[evenly_spaced(len(rows), _POINTS)]


def every_variant(result: Stored) -> pd.DataFrame | None:
    """Return the speedups of a run with every variant."""
    if result.variants is not None:
        return judged(result.variants)
    rows = measured(result)
    return rows if rows["variant"].nunique() > MOST_SIDE_BY_SIDE else None


def profiles(result: Stored) -> pd.DataFrame | None:
    """Return a row for each trace."""
    rows = []
    for trace in result.traces:
        profile = profile_trace(trace)
        rows.append(
            {
                "condition": trace.source.condition or trace.source.name,
                "origin": trace.source.origin,
                "snapshots": len(trace),
                "seconds": trace.ticks_ms[-1] / 1000,
                "most_dirty_pages": int(profile.dirty.max()),
                "mean_dirty_pages": float(profile.dirty.mean()),
                "mean_run": profile.mean_run,
            }
        )
    return pd.DataFrame(rows) if rows else None


def pairs(result: Stored) -> pd.DataFrame | None:
    """Return the traces if synthetic and captured ones can be compared."""
    rows = profiles(result)
    return rows if rows is not None and comparable(result.traces) else None


def study(name: str) -> Callable[[Stored], pd.DataFrame | None]:
    """Return what finds the table of a study."""
    return lambda result: result.studies.get(name)
