"""Every variant on every trace, against the limit: the ladder, one line a variant."""

from math import isnan

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.dots import Dots
from harness.presentation.frames import make_panels
from harness.presentation.style import BLACK, house_style
from harness.presentation.table import INTERVAL, Column, Table, format_short, make_table
from harness.report.section import Section
from harness.report.stored import Stored
from harness.results.limits import find_limits
from harness.results.speedups import judged, named_apart

MOST_SIDE_BY_SIDE = 4
"""Variants that are drawn beside each other; more are drawn a line each."""


@house_style()
def draw_ladder(rows: pd.DataFrame) -> Figure:
    """Draw the rows of one ``speedups.csv``, the noise floor left out, a panel a toolchain."""
    rows = named_apart(judged(rows))
    toolchains = list(dict.fromkeys(rows["original_toolchain"]))
    dots = Dots(rows, "speedup")
    size = (2.4 + 4.4 * len(toolchains), 0.27 * len(dots.order) + 1.9)
    figure, panels = make_panels(*size, 1, len(toolchains), sharey=True, sharex=True)
    for axes, toolchain in zip(panels, toolchains, strict=True):
        chosen = rows[rows["original_toolchain"] == toolchain]
        dots.draw(axes, chosen, "speedup", log=True)
        axes.axvline(1, color=BLACK, linewidth=1)
        axes.set_xlabel("speedup (original time / variant time)")
        axes.set_title(str(toolchain))
    dots.name_lines(panels[0])
    dots.add_legend(figure)
    return figure


def _rows(result: Stored) -> pd.DataFrame | None:
    """Return the speedups of a run with every variant, beside this one or itself."""
    if result.variants is not None:
        return result.variants
    rows = result.measured
    return rows if rows["variant"].nunique() > MOST_SIDE_BY_SIDE else None


_FIGURES = (
    Column("variant"),
    Column("map"),
    Column("toolchain"),
    Column("lowest speedup", lambda row: format_short(row["low"]), right=True),
    Column("highest", lambda row: format_short(row["high"]), right=True),
    Column(
        "of the limit", lambda r: "" if isnan(r["share"]) else format_short(r["share"]), right=True
    ),
)


def ladder_table(rows: pd.DataFrame) -> Table:
    """Return a row for each variant over all traces."""
    rows = named_apart(rows)
    limits = find_limits(rows)
    keys = ["map", "variant", "toolchain", "original_toolchain"]
    ranges = rows.groupby(keys, sort=False)["speedup"].agg(low="min", high="max").reset_index()
    of = zip(ranges["variant"], ranges["original_toolchain"], strict=True)
    return make_table(_FIGURES, ranges.assign(share=[limits.share(*each) for each in of]))


SECTION = Section(
    key="variants",
    title="Every variant against the limit",
    said="A line a variant, a mark a trace; the original is at 1. The lines with limit in their "
    "name read the map and do nothing else, which no count can beat by more than chance.",
    command="dirtyscan bench --variant all",
    rows=_rows,
    draw=lambda _, rows: draw_ladder(rows),
    shown=("variant", "condition", "origin", "toolchain", *INTERVAL),
    figures=ladder_table,
)
