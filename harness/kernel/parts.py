"""The parts of a tick's work, and what a tick would be without one of them."""

import pandas as pd

from harness.native.operation import DEFAULT_OPERATION
from workloads.conditions import DEFAULT_CONDITIONS

GUEST, SYNC = "guest", "sync"
FROM_THE_KERNEL = (GUEST, SYNC)
OF_WRITES = ("merge", "next", "drain")
"""Operations on what was written in a tick; the count is over all that remains."""
PARTS = (*FROM_THE_KERNEL, "merge", DEFAULT_OPERATION, "next", "drain")
THEN, PATCH, TODAY = COUNTS = ("2010", "patch", "today")
"""The counts that a tick may have: the letter's original, its patch, and this CPU's fastest."""


def ticks(found: pd.DataFrame, kind: str = THEN) -> pd.DataFrame:
    """Return the seconds of each part, a line a map and a column a part, with one of the counts."""
    counts = found["part"] == DEFAULT_OPERATION
    chosen = found[~counts | (found["kind"] == kind)]
    wide = chosen.pivot_table(index="map", columns="part", values="seconds", sort=False)
    return wide.reindex(columns=[part for part in PARTS if part in wide])


def saved(found: pd.DataFrame, kind: str, without: tuple[str, ...] = ()) -> pd.Series:
    """Return by what share a tick of each map would be shorter if the count took nothing.

    Args:
        without: parts that are not counted as a tick's.
    """
    each = ticks(found, kind).drop(columns=list(without), errors="ignore")
    return each[DEFAULT_OPERATION] / each.sum(axis=1)


def answer(found: pd.DataFrame) -> str:
    """Say by how much a whole tick would shrink if the count took nothing."""
    recorded = found[found["map"].isin(DEFAULT_CONDITIONS)]
    counts = recorded[recorded["part"] == DEFAULT_OPERATION]
    if counts.empty or GUEST not in set(recorded["part"]):
        return "What a tick would be without its count is not known: a part of it was left out."
    variants = dict(zip(counts["kind"], counts["variant"], strict=True))
    whole, own = (
        ", ".join(f"{percent(saved(recorded, kind, without))} ({name})" for kind in variants
                  if (name := variants[kind]))
        for without in ((), (GUEST,))
    )  # fmt: skip
    return (
        f"If the count took nothing, a whole tick of the recorded guests would shrink by {whole}, "
        f"and what the hypervisor itself does in it, all but the guest's faults, by {own}."
    )


def percent(shares: pd.Series) -> str:
    """Return the least and the most of some shares, in two digits."""
    low, high = (f"{100 * share:.2g}" for share in (shares.min(), shares.max()))
    return f"{low} to {high} %" if low != high else f"{low} %"
