"""The letter's footnote, asked of the data: a call's speedup against the pages that remain."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.claims.calls import TRACE
from harness.presentation.frames import draw_claimed_across, make_pairs, of_first_toolchain
from harness.presentation.scale import format_plain, plain_log_axis
from harness.presentation.style import (
    BLACK,
    ORIGIN_COLOURS,
    add_legend,
    house_style,
    key,
    letters_range,
    mark,
)
from harness.presentation.table import Column, Table, format_short, make_table
from harness.report.answer import PATCH
from harness.report.section import Section
from harness.report.stored import Stored
from harness.statistics.spacing import evenly_spaced

_POINTS = 100
"""Calls of a trace that the page draws; more would not be told apart."""
_FIFTH = 0.2
"""The share of calls, those with the fewest pages or the most, that the table compares."""


def patch_calls(result: Stored) -> pd.DataFrame | None:
    """Return the calls of the patch with the letter's range; None if it was not measured on any.

    Of several toolchains the first is meant.
    """
    rows = result.measured
    claimed = rows[(rows["variant"] == PATCH) & rows["claim_low"].notna()]
    if claimed.empty or result.calls is None:
        return None
    ranges = of_first_toolchain(claimed)[[*TRACE, "claim_low", "claim_high"]]
    return result.calls.merge(ranges, on=TRACE)


@house_style()
def draw_remaining(calls: pd.DataFrame, most: int = 0) -> Figure:
    """Draw what :func:`patch_calls` returns, a panel for each condition.

    Args:
        most: calls of a trace that are drawn, each for who hovers over it; 0 for all, in one image.
    """
    groups = list(calls.groupby("condition", sort=False))
    figure, panels = make_pairs(len(groups), (3.1, 2.6), (0, 0.5), sharey=True)
    for axes, (condition, group) in zip(panels, groups, strict=True):
        _draw_panel(axes, group, most)
        axes.set_title(str(condition).capitalize())
    for axes in panels[::2]:
        axes.set_ylabel("speedup of one call")
    for axes in panels[-2:]:
        axes.set_xlabel("remaining dirty pages\n(thousands)")
    keys = [
        key(f"{origin} trace", color=ORIGIN_COLOURS[origin], marker="o", linestyle="none")
        for origin in dict.fromkeys(calls["origin"])
    ]
    add_legend(figure, [*keys, letters_range()], 2)
    return figure


def _draw_panel(axes: Axes, calls: pd.DataFrame, most: int) -> None:
    draw_claimed_across(axes, calls)
    axes.axhline(1, color=BLACK, linewidth=1)
    for origin, group in calls.groupby("origin", sort=False):
        points = group.iloc[evenly_spaced(len(group), most)] if most else group
        (drawn,) = axes.plot(
            points["remaining_pages"] / 1000, points["speedup"], linestyle="none", marker="o",
            markersize=2.4, markeredgewidth=0, alpha=0.55, color=ORIGIN_COLOURS[str(origin)],
            rasterized=not most,  # as outlines thousands of points make a large file
        )  # fmt: skip
        mark(drawn, points.index)
    plain_log_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))


_FIGURES = (
    Column("trace", lambda row: f"{row['condition'].capitalize()}, {row['origin']}"),
    Column("remaining pages", lambda r: f"{r['fewest']:,} to {r['most']:,}", right=True),
    Column("speedup with the fewest", lambda row: format_short(row["few"]), right=True),
    Column("with the most", lambda row: format_short(row["many"]), right=True),
    Column("rank correlation", lambda row: f"{row['correlation']:+.2f}", right=True),
    Column("with the runs they form", lambda row: f"{row['with_runs']:+.2f}", right=True),
)


def dependence(calls: pd.DataFrame) -> pd.DataFrame:
    """Return how the speedup of a call goes with the pages that remain, a row for each trace.

    Returns:
        ``fewest`` and ``most`` remaining pages; ``few`` and ``many``, the median speedups of the
        fifths of calls that have the fewest and the most; ``correlation``, Spearman's, and that
        with the runs of dirty pages, ``with_runs``.
    """
    rows = []
    for (condition, origin), group in calls.groupby(["condition", "origin"], sort=False):
        ordered = group.sort_values("remaining_pages", kind="stable")
        fifth = max(1, round(_FIFTH * len(ordered)))
        pages, speedups = ordered["remaining_pages"], ordered["speedup"].rank()
        rows.append(
            {
                "condition": condition,
                "origin": origin,
                "fewest": int(pages.iloc[0]),
                "most": int(pages.iloc[-1]),
                "few": float(ordered["speedup"].head(fifth).median()),
                "many": float(ordered["speedup"].tail(fifth).median()),
                "correlation": float(pages.rank().corr(speedups)),
                "with_runs": float(ordered["dirty_runs"].rank().corr(speedups)),
            }
        )
    return pd.DataFrame(rows)


def _figures(calls: pd.DataFrame) -> Table:
    return make_table(_FIGURES, dependence(calls))


def _whole(result: Stored) -> Figure | None:
    calls = patch_calls(result)
    return None if calls is None else draw_remaining(calls)


SECTION = Section(
    key="remaining",
    title="Does it depend on how many pages remain?",
    said="The letter gives ranges because, it says, the runtime changes with the number of "
    "remaining dirty pages. Each point is one call; the table compares the fifth of calls with the "
    "fewest pages and the fifth with the most. Where the rank correlation is near 0, it does not.",
    command="make bench",
    rows=patch_calls,
    draw=lambda _, calls: draw_remaining(calls, _POINTS),
    shown=("condition", "origin", "tick_ms", "remaining_pages", "dirty_runs", "speedup"),
    figures=_figures,
    whole=_whole,
)
