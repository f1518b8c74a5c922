"""Whether a result's rows agree with themselves: their seconds, and their verdicts on claims."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.claims.calls import TRACE
from harness.claims.claim import Claim, range_in_words, read_claims
from harness.claims.verdict import (
    IN_PART,
    MOST_CALLS,
    REPRODUCED,
    SHARP,
    SOME_CALLS,
    UNDECIDED,
    Figures,
    judge,
    shares,
    usual_range,
    verdict,
)
from harness.results.found import Found, Kind, told
from harness.results.result import SNAPSHOTS, SPEEDUPS, read_table

_DIGITS = 1.5e-8
"""What three numbers of nine digits, rounded each, may be off by together, as a share."""
_ROUNDING = 1e-6
"""What a figure made of many such numbers may be off by, as a share."""
Row = Mapping[Any, Any]
Calls = NDArray[np.float64]
"""The speedups of single calls."""
Groups = Mapping[Any, pd.DataFrame]
"""The rows of ``snapshots.csv``, by condition, origin, toolchain and variant."""


def check_rows(folder: Path, rows: pd.DataFrame) -> Iterator[Found]:
    """Hold the rows of ``speedups.csv`` against each other's columns, claims and single calls."""
    records = rows.to_dict("records")
    wrong = [
        f"{_about(row)} takes {row['variant_seconds']:.9g} s, and original_seconds / speedup is "
        f"{row['original_seconds'] / row['speedup']:.9g} s"
        for row in records
        if not math.isclose(
            row["original_seconds"] / row["speedup"], row["variant_seconds"], rel_tol=_DIGITS
        )
    ]
    yield from told(SPEEDUPS, wrong, "variant_seconds are original_seconds / speedup")
    yield from _check_claims(records, _read_calls(folder))


def _read_calls(folder: Path) -> Groups:
    """Return the single calls by what tells rows apart; none where there are no samples."""
    if not (folder / SNAPSHOTS).exists():
        return {}
    try:
        calls = read_table(folder, SNAPSHOTS)
    except BadInput:  # which is told where samples are looked at
        return {}
    return dict(iter(calls.groupby(TRACE, sort=False)))


def _calls_of(row: Row, groups: Groups) -> Calls | None:
    """Return the speedups of a row's single calls; None if they are not there, or not all.

    Results of earlier versions have seconds alone: :func:`harness.claims.calls.single_calls`.
    """
    where = (row["condition"], row["origin"])
    own = groups.get((*where, row["toolchain"], row["variant"]))
    if own is None or len(own) != row["snapshots"]:
        return None
    speedups = own["speedup"].to_numpy(np.float64)
    if np.isnan(speedups).any():
        before = groups.get((*where, row["original_toolchain"], row["original"]))
        if before is None or before["snapshot"].tolist() != own["snapshot"].tolist():
            return None
        speedups = before["seconds"].to_numpy(np.float64) / own["seconds"].to_numpy(np.float64)
    return speedups if np.isfinite(speedups).all() and (speedups > 0).all() else None


def _wrong_range(row: Row, calls: Calls | None) -> Iterator[str]:
    """Say where nine tenths of a row's calls lie, if that is not what it has."""
    if calls is not None and not math.isnan(row["calls_low"]):
        low, high = usual_range(calls)
        yield from _not_made(row, {"calls_low": low, "calls_high": high})


def _not_made(row: Row, made: Mapping[str, float]) -> Iterator[str]:
    for name, value in made.items():
        if not _same(row[name], value):
            yield f"{name} of {_about(row)} is {row[name]:.6g}, and its calls make {value:.6g}"


def _check_claims(records: Sequence[Row], groups: Groups) -> Iterator[Found]:
    """Judge every row anew that is about a claim."""
    wrong: list[str] = []
    unlike: list[str] = []
    judged = 0
    for row in records:
        calls = _calls_of(row, groups)
        wrong += _wrong_range(row, calls)
        claim = _claims().get(row["claim"])
        if claim:
            others = len(wrong) + len(unlike)
            wrong += _wrong_claim(row, claim)
            wrong += _wrong_calls(row, claim, calls)
            for column, words, ends in _verdicts(row, claim, calls):
                if row[column] in words:
                    continue
                said = (f"its {column} on {_about(row)} is {row[column]!r}, and its figures make "
                        f"{' or '.join(map(repr, sorted(words)))}")  # fmt: skip
                if _by_earlier_rule(row[column], words, ends, claim):
                    unlike.append(f"{said}, by a rule that version 0.2.0 did not have")
                else:
                    wrong.append(said)
            judged += len(wrong) + len(unlike) == others
        elif row["claim"]:
            unlike.append(f"{row['claim']} is no claim that this dirtyscan knows, so its verdict "
                          f"on {_about(row)} was not looked at")  # fmt: skip
        elif row["verdict"]:
            wrong.append(f"{_about(row)} has a verdict, {row['verdict']!r}, and no claim")
    if unlike:
        yield from told(SPEEDUPS, unlike, "", Kind.REMARK)
    if judged or wrong:
        yield from told(SPEEDUPS, wrong, f"{judged} verdicts are those of their figures")


def _verdicts(
    row: Row, claim: Claim, calls: Calls | None
) -> Iterator[tuple[str, set[str], tuple[float, float]]]:
    """Yield each verdict of a row that can be made anew.

    Its column, which words it may be, and the interval that it is of.
    """
    yield "verdict", _words(row, claim, calls), (row["speedup_low"], row["speedup_high"])
    # Which calls of those that are kept were quiet nobody knows.
    if not claim.over_calls and not math.isnan(row["quiet_low"]):
        low, high = row["quiet_low"], row["quiet_high"]
        yield "quiet_verdict", {verdict(low, high, claim)}, (low, high)


def _by_earlier_rule(there: str, words: set[str], ends: tuple[float, float], claim: Claim) -> bool:
    """Return whether versions up to 0.2.0 said what is ``there``.

    That an interval holds 1, of which a claim has one side alone, left nothing undecided then.
    """
    low, high = ends
    was_reproduced = words == {UNDECIDED} and there == REPRODUCED
    return was_reproduced and low < 1 < high and not claim.over_calls


def _words(row: Row, claim: Claim, calls: Calls | None) -> set[str]:
    """Return the verdicts that a row may have, as far as what is there decides it."""
    low, high = row["speedup_low"], row["speedup_high"]
    over_all = {verdict(low, high, claim)}
    if not claim.over_calls:
        return over_all
    # Until its single calls were kept, a range over calls was judged by the whole trace.
    kept = not math.isnan(row["calls_within"])
    if calls is not None:
        by_calls = {judge(Figures(row["speedup"], low, high, calls), claim)}
        return by_calls if kept else by_calls | over_all
    return _words_of_shares(row, claim) if kept else over_all


def _words_of_shares(row: Row, claim: Claim) -> set[str]:
    """Return what :func:`judge` may say of calls of which only the shares are known."""
    if row["calls_within"] >= MOST_CALLS:
        words = {REPRODUCED}
    elif row["calls_within"] >= SOME_CALLS:
        words = {IN_PART}
    else:
        # The median of those outside lies on the side that has more of them, if at its edge or
        # at the call that is furthest away nobody knows.
        below = row["calls_below"] >= row["calls_above"]
        edge = np.nextafter(claim.low, 0) if below else np.nextafter(claim.high, math.inf)
        end = row["snapshot_speedup_min" if below else "snapshot_speedup_max"]
        words = {verdict(float(one), float(one), claim) for one in (edge, end)}
    wide = row["speedup_high"] > row["speedup_low"] * SHARP
    return words | {UNDECIDED} if wide else words


def _wrong_claim(row: Row, claim: Claim) -> Iterator[str]:
    """Say which range a row has of a claim, if that is not what is claimed."""
    there = (row["claim_low"], row["claim_high"])
    if not all(map(_same, there, (claim.low, claim.high))):
        yield (f"{claim.name} on {_trace(row)} is said to claim {range_in_words(*there)}, and "
               f"claims {claim.claimed}")  # fmt: skip


def _wrong_calls(row: Row, claim: Claim, calls: Calls | None) -> Iterator[str]:
    """Say what a row has of where its single calls lie that they do not make."""
    if calls is None or math.isnan(row["calls_within"]):
        return
    where = shares(calls, claim)
    made = dataclasses.asdict(where)
    yield from _not_made(row, {f"calls_{side}": share for side, share in made.items()})


def _same(there: float, made: float) -> bool:
    return math.isclose(there, made, rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def _about(row: Row) -> str:
    return f"{row['variant']} ({row['toolchain']}) on {_trace(row)}"


def _trace(row: Row) -> str:
    return f"{row['condition']} {row['origin']}"


@functools.cache
def _claims() -> Mapping[str, Claim]:
    return {claim.name: claim for claim in read_claims()}
