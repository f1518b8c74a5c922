"""The parts of a tick's work that tracking takes, and what it would be without one of them.

Sending is not among them: reading, copying and writing the pages themselves.
"""

import pandas as pd

from harness.native.operation import DEFAULT_OPERATION
from workloads.conditions import DEFAULT_CONDITIONS

GUEST, SYNC = "guest", "sync"
FROM_THE_KERNEL = (GUEST, SYNC)
OF_WRITES = ("merge", "next", "drain")
"""Operations on what was written in a tick; the count is over all that remains."""
ONCE = ("first", "touching")
"""What a page costs the guest once: its first write after the start, and its first of all."""
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
    """Say how much of the parts the count is.

    It is that at most: a page that is written again is seen only if it was sent in between, and
    costs the guest a fault and the kernel its part of the sync all the same.
    """
    recorded = found[found["map"].isin(DEFAULT_CONDITIONS)]
    counts = recorded[recorded["part"] == DEFAULT_OPERATION]
    if counts.empty or GUEST not in set(recorded["part"]):
        return "How much of a tick its count is is not known: a part of it was left out."
    variants = dict(zip(counts["kind"], counts["variant"], strict=True))
    whole, own = (
        ", ".join(f"{percent(saved(recorded, kind, without))} ({variants[kind]})"
                  for kind in COUNTS if kind in variants)
        for without in ((), (GUEST,))
    )  # fmt: skip
    return (
        f"Of what tracking takes in a tick of the recorded guests the count is {whole}, and of the "
        f"hypervisor's part, all but the guest's faults, {own}: at most, as pages that were dirty "
        "already and were written again are not seen, and sending is not in it."
    )


def cost(found: pd.DataFrame) -> str:
    """Say what a page costs the guest; empty if no guest was measured."""
    guest = found[found["part"] == GUEST]
    if guest.empty:
        return ""
    again, first, touching = (
        f"{guest[f'{name}nanoseconds_a_page'].median() / 1e3:.2g} µs"
        for name in ("", *(f"{name}_" for name in ONCE))
    )
    return (
        f"A page costs the guest {again} when it is written again after a sync; its first write "
        f"after the start takes {first}, and its first of all, for which memory is found, "
        f"{touching}."
    )


def percent(shares: pd.Series) -> str:
    """Return the least and the most of some shares, in two digits."""
    low, high = (f"{100 * share:.2g}" for share in (shares.min(), shares.max()))
    return f"{low} to {high} %" if low != high else f"{low} %"
