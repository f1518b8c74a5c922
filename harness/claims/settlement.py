"""Settling claims: which claims are measured together, on what, and what came out."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.claims.claim import Claim
from harness.claims.verdict import verdict
from harness.measurement.preparation import Request
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, random_pages, write_random_runs
from workloads.synthesis import DEFAULT_SEED, Report
from workloads.units import format_size

SNAPSHOTS = 2
_ROUNDS = {"mark": 15, "drain": 5}
"""In each process, where one call takes so little that more of them cost nothing."""
_FEWEST_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Group:
    """Claims that are measured in one run: of one operation, against one original."""

    operation: str
    original: str
    claims: tuple[Claim, ...]

    @property
    def name(self) -> str:
        """Fit for a folder."""
        return f"{self.operation}-{Path(self.original).stem}"


@dataclasses.dataclass(frozen=True)
class Settled:
    """A claim with what was measured; the columns of ``claims.csv``, in this order."""

    claim: str
    source: str
    date: str
    operation: str
    original: str
    variant: str
    workload: str
    guest_memory_bytes: int
    claimed_low: float
    claimed_high: float
    speedup: float
    speedup_low: float
    speedup_high: float
    verdict: str
    captured_low: float | None
    """The lowest speedup of the same pair on the captured traces of the letter's conditions."""
    captured_high: float | None
    original_seconds: float
    variant_seconds: float
    toolchain: str
    scaled: str
    """What was measured on a smaller guest than claimed, and why the ratio still compares."""
    note: str


def group_claims(claims: Sequence[Claim]) -> list[Group]:
    """Return ``claims`` as few runs, in their order."""
    groups: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        groups.setdefault((claim.operation, claim.original), []).append(claim)
    return [Group(*key, tuple(found)) for key, found in groups.items()]


def request_group(group: Group, folder: Path, precision: float, report: Report) -> Request:
    """Write the random maps of ``group`` into ``folder`` and say what is measured.

    The letter's conditions are measured too, to say how the same pairs fare on captured traces.
    """
    paths = {}
    maps = {(claim.runs, claim.scaled_to) for claim in group.claims if claim.runs}
    for done, (runs, size) in enumerate(sorted(maps, key=lambda key: (key[1], str(key))), start=1):
        path = folder / f"{size}-{runs.name}.trace"
        memory = GuestMemory(size)
        paths[path] = write_random_runs(path, memory, runs, SNAPSHOTS, DEFAULT_SEED)
        report("maps", done, len(maps))
    given = [Path(claim.trace) for claim in group.claims if claim.trace]
    named = [condition for claim in group.claims for condition in claim.conditions]
    conditions = dict.fromkeys([*DEFAULT_CONDITIONS, *named])
    return Request(
        conditions=tuple(find_condition(name) for name in conditions),
        origins=("synthetic", "captured") if named else ("captured",),
        traces=(*paths, *dict.fromkeys(given)),
        variants=tuple(dict.fromkeys(claim.variant for claim in group.claims)),
        toolchains=(),
        memory=GuestMemory(),
        settings={},
        seed=DEFAULT_SEED,
        quick=True,
        precision=precision,
        operation=group.operation,
        original=group.original,
        rounds=_ROUNDS.get(group.operation, _FEWEST_ROUNDS),
        # What chance alone does is in the intervals; the original's time is better spent on them.
        noise_floor=False,
        one_cpu=True,
    )


def settle(group: Group, rows: pd.DataFrame) -> list[Settled]:
    """Judge the claims of ``group`` by the rows of its run, as far as they were measured."""
    settled = []
    for claim in group.claims:
        of_pair = rows[rows["variant"] == Path(claim.variant).stem]
        settled += [_settle(claim, row, of_pair) for row in _rows_of(claim, of_pair)]
    return settled


def _rows_of(claim: Claim, rows: pd.DataFrame) -> list[dict[str, object]]:
    if claim.runs:
        chosen = rows[
            (rows["condition"] == claim.runs.name) & (rows["guest_memory_bytes"] == claim.scaled_to)
        ]
    elif claim.trace:
        chosen = rows[rows["origin"] == "imported"]
    else:
        chosen = rows[rows["condition"].isin(claim.conditions)]
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


def _settle(claim: Claim, row: dict[str, object], rows: pd.DataFrame) -> Settled:
    captured = rows[(rows["origin"] == "captured") & rows["condition"].isin(DEFAULT_CONDITIONS)]
    speedup, low, high, original, variant = (
        float(str(row[name]))
        for name in (
            "speedup", "speedup_low", "speedup_high", "original_seconds", "variant_seconds",
        )
    )  # fmt: skip
    return Settled(
        claim=claim.name,
        source=claim.source,
        date=claim.date,
        operation=claim.operation,
        original=claim.original,
        variant=claim.variant,
        workload=_workload(claim.runs) if claim.runs else f"{row['condition']} {row['origin']}",
        guest_memory_bytes=int(str(row["guest_memory_bytes"])),
        claimed_low=claim.low,
        claimed_high=claim.high,
        speedup=speedup,
        speedup_low=low,
        speedup_high=high,
        verdict=verdict(low, high, claim),
        captured_low=float(captured["speedup"].min()) if len(captured) else None,
        captured_high=float(captured["speedup"].max()) if len(captured) else None,
        original_seconds=original,
        variant_seconds=variant,
        toolchain=str(row["toolchain"]),
        scaled=_scaled(claim),
        note=claim.note,
    )


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
        f"{format_size(claim.scaled_to)} with the same density and runs: the time of both goes "
        "with the pages"
    )
