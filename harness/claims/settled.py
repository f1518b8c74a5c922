"""Settled claims: each with what came out, the rows of ``claims.csv``."""

import dataclasses
import math
import typing
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.base.units import format_size
from harness.claims.claim import Claim
from harness.claims.verdict import NOT_MEASURED, Figures, judge, remark, shares, verdict
from workloads.random_runs import RandomRuns, random_pages

_OF_ROW = (
    *("speedup", "speedup_low", "speedup_high"),
    *("placement_low", "placement_high"),
    *("original_seconds", "variant_seconds", "toolchain"),
    *("slowed", "quiet_speedup", "quiet_low", "quiet_high"),
)


@dataclasses.dataclass(frozen=True)
class Settled:
    """A claim with what was measured; the columns of ``claims.csv``, in this order.

    Without a row that could be measured, the verdict says so and the figures are empty.
    """

    claim: str
    source: str
    address: str
    date: str
    operation: str
    original: str
    variant: str
    workload: str
    guest_memory_bytes: int | None
    claimed_low: float
    claimed_high: float
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    verdict: str = NOT_MEASURED
    calls_within: float | None = None
    """The share of single calls inside the claimed range, where that is over calls."""
    remark: str = ""
    """What is to be said beside the verdict."""
    captured_low: float | None = None
    """The lowest speedup of the same pair on captured traces: of the claim's conditions, if it is
    about some, or else of all that the letter has."""
    captured_high: float | None = None
    placement_low: float | None = None
    """The speedup at the least favourable placement of the two, and at the most favourable; empty
    if the variant's was not varied."""
    placement_high: float | None = None
    by_placement: str = ""
    """The verdicts at these two, where they differ."""
    original_seconds: float | None = None
    variant_seconds: float | None = None
    toolchain: str = ""
    """What both were compiled with."""
    beside_toolchain: str = ""
    """Another one, with what the same pair gives by it."""
    beside_speedup: float | None = None
    beside_low: float | None = None
    beside_high: float | None = None
    beside_verdict: str = ""
    scaled: str = ""
    """What was measured on a smaller guest than claimed, and why the ratio still compares."""
    slowed: float | None = None
    """The share of the original's rounds that something has slowed; see ``speedups.csv``."""
    quiet_speedup: float | None = None
    """What the other rounds give alone, where many were slowed."""
    quiet_low: float | None = None
    quiet_high: float | None = None
    quiet_verdict: str = ""
    note: str = ""
    reason: str = ""
    """Why it was not measured."""


def measured(
    claim: Claim,
    row: Mapping[Hashable, Any],
    calls: NDArray[np.float64],
    captured: pd.DataFrame,
    beside: Mapping[Hashable, Any] | None = None,
) -> Settled:
    """Judge ``claim`` by a row of ``speedups.csv``, beside those of captured traces.

    Args:
        calls: the speedups of the single calls of that row.
        beside: the row of the same pair and trace by another toolchain. Not of a claim that is
            judged by single calls, of which only those of ``row`` are given.
    """
    on = _workload(claim.runs) if claim.runs else f"{row['condition']} {row['origin']}"
    figures = Figures(row["speedup"], row["speedup_low"], row["speedup_high"], calls)
    least, most = (
        _verdict_at(row[name] / row["speedup"], figures, claim)
        for name in ("placement_low", "placement_high")
    )
    return dataclasses.replace(
        _published(claim, on, row["guest_memory_bytes"]),
        verdict=judge(figures, claim),
        calls_within=shares(calls, claim).within if claim.over_calls else None,
        remark=remark(figures, claim),
        by_placement=f"{least} to {most}" if least != most else "",
        captured_low=float(captured["speedup"].min()) if len(captured) else None,
        captured_high=float(captured["speedup"].max()) if len(captured) else None,
        quiet_verdict=_quiet_verdict(row, claim),
        **{name: row[name] for name in _OF_ROW},
        **(_beside(beside, claim) if beside else {}),
    )


def _beside(row: Mapping[Hashable, Any], claim: Claim) -> dict[str, Any]:
    low, high = row["speedup_low"], row["speedup_high"]
    return {
        "beside_toolchain": row["toolchain"],
        "beside_speedup": row["speedup"],
        "beside_low": low,
        "beside_high": high,
        "beside_verdict": "" if claim.over_calls else verdict(low, high, claim),
    }


def _quiet_verdict(row: Mapping[Hashable, Any], claim: Claim) -> str:
    """Return the verdict by the rounds that nothing has slowed; empty if they say nothing alone."""
    if claim.over_calls:  # its single calls are no longer there, but the row was judged by them
        return str(row["quiet_verdict"]) if row["claim"] == claim.name else ""
    low, high = row["quiet_low"], row["quiet_high"]
    return "" if math.isnan(low) else verdict(low, high, claim)


def _verdict_at(factor: float, figures: Figures, claim: Claim) -> str:
    """Return the verdict at a placement; empty if it was not varied."""
    return "" if math.isnan(factor) else judge(figures.at(factor), claim)


def not_measured(claim: Claim, reason: str) -> Settled:
    """Return ``claim`` without figures, and why."""
    on = _workload(claim.runs) if claim.runs else " ".join(claim.conditions) or claim.trace
    memory = claim.scaled_to if claim.runs else None
    return dataclasses.replace(_published(claim, on, memory), reason=reason)


def _published(claim: Claim, workload: str, memory: int | None) -> Settled:
    """Return ``claim`` with nothing measured of it."""
    return Settled(
        claim=claim.name,
        source=claim.source,
        address=claim.address,
        date=claim.date,
        operation=claim.operation,
        original=claim.original,
        variant=claim.variant,
        workload=workload,
        guest_memory_bytes=memory,
        claimed_low=claim.low,
        claimed_high=claim.high,
        scaled=_scaled(claim),
        note=claim.note,
    )


def to_table(settled: Sequence[Settled]) -> pd.DataFrame:
    """Return ``settled`` as a table whose figures are numbers, or missing."""
    table = pd.DataFrame([dataclasses.asdict(one) for one in settled])
    kinds = typing.get_type_hints(Settled)
    figures = [name for name, kind in kinds.items() if kind in (float, float | None)]
    return table.astype({"guest_memory_bytes": "Int64", **dict.fromkeys(figures, "float64")})


def sentences(table: pd.DataFrame) -> list[str]:
    """Say which claims were not measured and why, a sentence for each reason."""
    missing = table[table["verdict"] == NOT_MEASURED].groupby("reason", sort=False)["claim"]
    return [f"{', '.join(names)} ({reason})" for reason, names in missing]


def _workload(runs: RandomRuns) -> str:
    if runs.density in (0, 1):
        return "all clean" if runs.density == 0 else "all dirty"
    density = f"{100 * runs.density:.3g}%"
    if runs == random_pages(runs.density):
        return f"{density} random"
    return f"{density} in runs {'of ' if runs.fixed else 'of ~'}{runs.mean_run:g}"


def _scaled(claim: Claim) -> str:
    if claim.guest_memory == claim.scaled_to:
        return ""
    times = claim.guest_memory / claim.scaled_to
    return (
        f"{format_size(claim.guest_memory)} scaled down {times:.0f} times to "
        f"{format_size(claim.scaled_to)} with the same density and runs"
    )
