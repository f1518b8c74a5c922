"""What slowed rounds do to the rows of a run, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.machine.state import SLOWED_SHARE, slowed_in
from harness.presentation.table import format_number, trace_name
from harness.results.speedups import half_width, judged, named_apart

_FEW = 3
"""Variants whose speedups in the other rounds are written one by one."""


def is_slowed(rows: pd.DataFrame) -> bool:
    """Say whether something has slowed many rounds on some trace."""
    return bool((rows["slowed"] > SLOWED_SHARE).any())


def share_slowed(rows: pd.DataFrame) -> str:
    """Say in how many rounds something has slowed the original, of traces on which it is many."""
    shares = rows.loc[rows["slowed"] > SLOWED_SHARE, "slowed"]
    low, high = (f"{100 * share:.0f}" for share in (shares.min(), shares.max()))
    span = low if low == high else f"{low} to {high}"
    return slowed_in(f"{span} %")


def quiet_notes(rows: pd.DataFrame, verdicts: bool = True) -> list[str]:
    """Say how many rounds something has slowed, and what the others say alone.

    Args:
        verdicts: whether that is judged too, where something is claimed.
    """
    rows = named_apart(judged(rows))
    if not verdicts:
        rows = rows.assign(quiet_verdict="")
    if not is_slowed(rows):
        return []
    known = rows[rows["quiet_speedup"].notna()]
    if known.empty:
        return [f"{share_slowed(rows)}, and the others are too few to say anything alone"]
    if known["variant"].nunique() > _FEW:
        factors = known["quiet_speedup"] / known["speedup"]
        alone = (
            f"speedups are {factors.min():.2f} to {factors.max():.2f} times as high, on "
            f"{len(known)} rows"
        )
        return [f"{share_slowed(rows)}; in the others alone {alone}"]
    notes = [share_slowed(rows)]
    for variant, group in known.groupby("variant", sort=False):
        notes.append(f"in the others alone {variant}: {_each(group.to_dict('records'))}")
    return notes


def quiet_lines(rows: pd.DataFrame) -> list[str]:
    """Say in how many rounds something slowed the original, and which lines the others judge.

    Those that they judge otherwise are written one by one.

    Args:
        rows: each has a ``claim``, or what else is judged, on a ``workload``.
    """
    if not is_slowed(rows):
        return []
    notes = [share_slowed(rows)]
    judged_alone = rows[rows["quiet_verdict"] != ""]
    other = judged_alone[judged_alone["quiet_verdict"] != judged_alone["verdict"]]
    for row in other.to_dict("records"):
        notes.append(f"{row['claim']} on {row['workload']}, in the others alone {_alone(row)}")
    same = len(judged_alone) - len(other)
    notes.append(
        f"the others alone judge {len(judged_alone)} of {len(rows)} lines, {same} of them alike"
    )
    return notes


def _each(rows: Sequence[Mapping[Any, Any]]) -> str:
    return ", ".join(f"{trace_name(row)} {_alone(row)}" for row in rows)


def _alone(row: Mapping[Any, Any]) -> str:
    said = quiet_speedup(row)
    return f"{said} ({row['quiet_verdict']})" if row["quiet_verdict"] else said


def quiet_speedup(row: Mapping[Any, Any]) -> str:
    """Write the speedup in the rounds that nothing slowed, and its interval."""
    return f"{format_number(row['quiet_speedup'])} ±{half_width(row, 'quiet'):.1%}"
