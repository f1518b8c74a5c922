"""The main picture: every speedup beside the range that the letter reports."""

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.table import (
    INTERVAL,
    Column,
    claimed_range,
    format_short,
    make_table,
    short_interval,
)
from harness.report.hills import draw_speedups
from harness.report.placement import placement_range
from harness.report.run_table import calls_inside, usual_calls, verdict_with_remark, with_toolchain
from harness.report.section import Section
from harness.report.stored import Stored
from harness.report.variants import MOST_SIDE_BY_SIDE, draw_ladder


def draw_main(rows: pd.DataFrame, calls: pd.DataFrame | None) -> Figure:
    """Draw the main picture of a run: side by side, or a line a variant if there are many."""
    many = rows.loc[~rows["noise_floor"], "variant"].nunique() > MOST_SIDE_BY_SIDE
    return draw_ladder(rows) if many else draw_speedups(rows, calls)


def choose_rows(result: Stored) -> pd.DataFrame:
    """Return the rows of the main picture in the page: the claimed variants, if there are many."""
    rows = result.measured
    claimed = rows[rows["claim_low"].notna()]
    few = rows["variant"].nunique() <= MOST_SIDE_BY_SIDE or claimed.empty
    return rows if few else claimed


_FIGURES = (
    Column("trace", lambda row: f"{row['condition'].capitalize()}, {row['origin']}"),
    Column("variant", with_toolchain),
    Column("speedup", lambda row: format_short(row["speedup"]), right=True),
    Column("95 %", short_interval, right=True),
    Column("placements", placement_range, right=True),
    Column("nine tenths of calls", usual_calls, right=True),
    Column("the letter", claimed_range, right=True),
    Column("calls there", calls_inside, right=True),
    Column("verdict", verdict_with_remark),
)
SECTION = Section(
    key="speedups",
    title="The letter's four conditions",
    said="The letter's ranges (orange) are over single calls, as fewer and fewer pages remain. The "
    "hills show how many calls of a trace have which speedup; marks are the speedup on the whole "
    "trace, with its 95 % interval. Left of 1 the patch is slower.",
    command="make bench",
    rows=choose_rows,
    draw=lambda result, rows: draw_main(rows, result.calls),
    shown=(
        "condition",
        "origin",
        "variant",
        *INTERVAL,
        "calls_low",
        "calls_high",
        "calls_within",
        "verdict",
        "quiet_speedup",
    ),
    figures=lambda rows: make_table(_FIGURES, rows),
    whole=lambda result: draw_main(result.speedups, result.calls),
)
