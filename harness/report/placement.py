"""What placement does to the rows of a run, in words."""

from collections.abc import Sequence
from math import isnan, nan

import pandas as pd

from harness.measurement.lineup import PEER_TOOLCHAIN
from harness.presentation.table import Row, claimed_range, format_range, trace_name
from harness.statistics.placement import depends_on_placement

_FEW = 4
"""Traces whose ranges are written one by one."""
MARK = "~"
"""Stands before a speedup that depends on placement."""


def depends(row: Row) -> bool:
    """Return whether a row's speedup depends on where its code lies."""
    if isnan(row.get("placement_low", nan)):
        return False
    interval = row["speedup_low"], row["speedup_high"]
    return depends_on_placement(row["placement_low"], row["placement_high"], interval)


def mark(row: Row) -> str:
    """Return what stands before the speedup of a row: :data:`MARK` or nothing."""
    return MARK if depends(row) else ""


def placement_range(row: Row) -> str:
    """Return the speedups of a row's slowest and fastest placement; empty if they hardly differ."""
    return format_range(row["placement_low"], row["placement_high"]) if depends(row) else ""


def verdict_on(row: Row) -> str:
    """Return the verdict on the claim about a row; empty without one."""
    return str(row["verdict"]) if claimed_range(row) else ""


def verdict_with_share(row: Row) -> str:
    """Return the verdict, and in how many placements it holds if these do not agree."""
    share = row["verdict_share"]
    if not claimed_range(row) or isnan(share) or share == 1:
        return verdict_on(row)
    return f"{row['verdict']} in {share:.0%} of placements"


def placement_notes(rows: pd.DataFrame) -> list[str]:
    """Say of which rows placement decides what, and of which variants it was not varied."""
    records = rows[~rows["noise_floor"] & (rows["paid_in"] == "")].to_dict("records")
    notes = []
    for variant in dict.fromkeys(row["variant"] for row in records):
        own = [row for row in records if row["variant"] == variant]
        if moved := [row for row in own if depends(row)]:
            notes.append(f"{MARK} {variant} depends on where its code lies: {_ranges(moved)}")
        shares = [
            f"{trace_name(row)} {row['verdict_share']:.0%}"
            for row in own
            if verdict_with_share(row) != verdict_on(row)
        ]
        if shares:
            notes.append(
                f"{MARK} verdicts on {variant} hold in a part of the placements: "
                f"{', '.join(shares)}"
            )
    return notes


def _ranges(rows: Sequence[Row]) -> str:
    """Write the ranges of a few traces, or what they come to over many."""
    if len(rows) <= _FEW:
        return ", ".join(f"{placement_range(row)} ({trace_name(row)})" for row in rows)
    least = min(row["placement_low"] / row["speedup"] for row in rows)
    most = max(row["placement_high"] / row["speedup"] for row in rows)
    return f"by factors from {least:.2f} to {most:.2f}, on {len(rows)} traces"


def unvaried_note(rows: pd.DataFrame) -> str:
    """Name the variants whose placement was not varied; empty if there are none."""
    unvaried = rows["placement_low"].isna()
    peers = rows["toolchain"].str.startswith(PEER_TOOLCHAIN)
    names = list(dict.fromkeys(rows.loc[unvaried & ~peers, "variant"]))
    if not names or unvaried.all():  # all of it is from before placement was varied
        return ""
    return (
        f"placement of {', '.join(names)} not varied, so the intervals do not contain it; give an "
        "object file (.o) or the source instead of a shared object"
    )
