"""Claims beside what was measured, in tables: for a terminal, a document and the page."""

import dataclasses
import math
from collections.abc import Callable

import pandas as pd

from harness.claims.claim import range_in_words
from harness.claims.settled import sentences
from harness.claims.verdict import NOT_MEASURED
from harness.presentation.quiet import quiet_lines
from harness.presentation.table import (
    Column,
    Row,
    Table,
    format_number,
    format_range,
    format_short,
    make_table,
    plain_columns,
    short_interval,
)
from harness.results.speedups import half_width
from workloads.trace import ORIGINS

_WIDEST = 1.0
"""The half-width that says all there is to say of an interval."""


def is_measured(row: Row) -> bool:
    """Say whether a claim has figures."""
    return bool(row["verdict"] != NOT_MEASURED)


def _claimed(row: Row) -> str:
    low, high = row["claimed_low"], row["claimed_high"]
    return f"above {low:g}" if high == math.inf else format_range(low, high)


def _claimed_short(row: Row) -> str:
    low, high = format_short(row["claimed_low"]), format_short(row["claimed_high"])
    return f"{low} or more" if row["claimed_high"] == math.inf else f"{low} to {high}"


def _half_width(row: Row) -> str:
    half = half_width(row)
    return f"±{half:.1%}" if half < _WIDEST else f">±{_WIDEST:.0%}"


def _claimed_long(row: Row) -> str:
    return range_in_words(row["claimed_low"], row["claimed_high"])


def _with_interval(row: Row) -> str:
    toolchain = f", {row['toolchain']}" if row["toolchain"] else ""
    return f"{format_number(row['speedup'])} ({short_interval(row)}){toolchain}"


def _placements(row: Row) -> str:
    low, high = row["placement_low"], row["placement_high"]
    return "" if math.isnan(low) else f"{format_short(low)} to {format_short(high)}"


def _full_verdict(row: Row) -> str:
    placed = f" ({row['by_placement']})" if row["by_placement"] else ""
    calls = row["calls_within"]
    return f"{row['verdict']}{placed}{'' if calls != calls else f', {calls:.0%} of calls'}"


def _beside(row: Row) -> str:
    if not row["beside_toolchain"]:
        return ""
    figure = f"{format_number(row['beside_speedup'])}, {row['beside_toolchain']}"
    return f"{figure}: {row['beside_verdict']}" if row["beside_verdict"] else figure


def _captured_long(row: Row) -> str:
    # Of a claim about conditions the captured traces have rows of their own.
    there = row["captured_low"] == row["captured_low"] and not row["workload"].endswith(ORIGINS)
    low, high = (format_short(row[f"captured_{end}"]) for end in ("low", "high"))
    return f"{low} to {high}" if there else ""


def captured_range(row: Row) -> str:
    """Write what the same pair gives on captured traces; empty if that is not known."""
    there = row["captured_low"] == row["captured_low"]  # a missing one is NaN
    return format_range(row["captured_low"], row["captured_high"]) if there else ""


def _if_measured(head: str, write: Callable[[Row], str], whole: bool = False) -> Column:
    return Column(head, lambda row: write(row) if is_measured(row) else "", True, whole)


_SUMMARY = (
    Column("claim", whole=True),
    Column("on", "workload"),
    Column("claimed", _claimed, right=True, whole=True),
    _if_measured("speedup", lambda row: format_number(row["speedup"]), whole=True),
    _if_measured("95 %", _half_width, whole=True),
    Column("verdict", whole=True),
    Column("captured", captured_range, right=True, whole=True),
)
_DOCUMENT = (
    *plain_columns("claim", ("about", "workload")),
    Column("claimed", _claimed_long),
    _if_measured("measured", _with_interval),
    _if_measured("by placement", _placements),
    Column("verdict", _full_verdict),
    _if_measured("by another profile", _beside),
    Column("captured traces", _captured_long),
)
_FIGURES = (
    *plain_columns("claim", "workload"),
    Column("claimed", _claimed_short, right=True),
    _if_measured("measured", lambda row: format_short(row["speedup"])),
    _if_measured("95 %", short_interval),
    Column("verdict"),
)


def summary(found: pd.DataFrame) -> Table:
    """Return what came out, with how the same pair fares on captured traces."""
    missing = (f"not measured: {sentence}" for sentence in sentences(found))
    whole = whole_table(found)
    scaled = dict.fromkeys(text for text in whole["scaled"] if text)
    table = make_table(_SUMMARY, whole)
    placed = (_placed(row) for row in whole[whole["by_placement"] != ""].to_dict("records"))
    beside = whole["beside_verdict"]
    other = whole[(beside != "") & (beside != whole["verdict"])]
    others = other.to_dict("records")
    built = (f"{row['claim']} by another profile: {_beside(row)}" for row in others)
    alone = (f"! {note}" for note in quiet_lines(whole))
    notes = (*alone, *placed, *built, *scaled, *missing)
    return dataclasses.replace(table, notes=notes, fold=True)


def documented(found: pd.DataFrame) -> Table:
    """Return all that there is to say of each claim in a line."""
    return make_table(_DOCUMENT, whole_table(found))


def whole_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return ``found`` with every column, as an older table has not, and no text that is NaN."""
    whole = found.copy()
    texts = ("by_placement", "toolchain", "beside_toolchain", "beside_verdict", "scaled")
    for name in (*texts, "quiet_verdict"):
        whole[name] = whole.get(name, pd.Series("", index=found.index)).astype(object).fillna("")
    figures_of = ("calls_within", "placement_low", "placement_high", "beside_speedup")
    for name in (*figures_of, "slowed", "quiet_speedup", "quiet_low", "quiet_high"):
        whole[name] = whole.get(name, pd.Series(math.nan, index=found.index)).astype(float)
    return whole


def _placed(row: Row) -> str:
    reach = format_range(row["placement_low"], row["placement_high"])
    return f"{row['claim']} depends on placement: {reach}, {row['by_placement']}"


def figures(found: pd.DataFrame) -> Table:
    """Return what is claimed beside what was measured."""
    return make_table(_FIGURES, found)
