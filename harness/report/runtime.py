"""The letter's remark, drawn: the runtime changes with the number of remaining dirty pages."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.measurement.plan import AGAIN
from harness.presentation.frames import make_pairs
from harness.presentation.scale import format_plain, plain_log_axis
from harness.presentation.style import add_legend, house_style, mark, variant_colour
from harness.presentation.table import Column, Table, make_table
from harness.report.section import Section
from harness.report.speedups import choose_rows
from harness.report.stored import Stored
from harness.results.result import SNAPSHOTS, read_table
from harness.statistics.spacing import evenly_spaced

_POINTS = 100
"""Snapshots of a trace and variant that the page draws; more would not be told apart."""


@house_style()
def draw_runtime(rows: pd.DataFrame, as_outlines: bool = False) -> Figure:
    """Draw the rows of one ``snapshots.csv``, a panel for each trace.

    Args:
        as_outlines: whether points stay points however many there are.
    """
    rows = _without_noise_floor(rows)
    groups = list(rows.groupby(["condition", "origin", "toolchain"], sort=False))
    variants = list(dict.fromkeys(rows["variant"]))
    several = len(set(rows["toolchain"])) > 1
    figure, panels = make_pairs(len(groups), (4.6, 3.0), (0, 0.5), sharex=True, sharey=True)
    for axes, (names, group) in zip(panels, groups, strict=True):
        _draw_panel(axes, group, variants, as_outlines)
        condition, origin, toolchain = (str(name) for name in names)
        title = f"{condition.capitalize()}, {origin}"
        axes.set_title(f"{title}, {toolchain}" if several else title)
    for axes in panels[::2]:
        axes.set_ylabel("time of one call (µs)")
    for lowest in panels[-2:]:
        lowest.set_xlabel("remaining dirty pages (thousands)")
        lowest.tick_params(labelbottom=True)
    handles, _ = panels[0].get_legend_handles_labels()
    add_legend(figure, handles, 4, markerscale=2.5)
    return figure


def _without_noise_floor(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["variant"].str.endswith(AGAIN)]


def _draw_panel(axes: Axes, group: pd.DataFrame, variants: list[str], as_outlines: bool) -> None:
    for variant, points in group.groupby("variant", sort=False):
        (drawn,) = axes.plot(
            points["remaining_pages"] / 1000,
            points["seconds"] * 1e6,
            linestyle="none",
            marker="o",
            markersize=2.6,
            markeredgewidth=0,
            alpha=0.6,
            color=variant_colour(str(variant), variants),
            label=str(variant),
            # As outlines thousands of points make a large file.
            rasterized=len(points) > 200 and not as_outlines,
        )
        mark(drawn, points.index)
    plain_log_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))


def _thinned(result: Stored) -> pd.DataFrame | None:
    """Return the snapshots of the variants of the main picture, some of them."""
    if result.snapshots is None:
        return None
    rows = _without_noise_floor(result.snapshots)
    shown = {*choose_rows(result)["variant"], *result.speedups["original"]}
    keys = ["condition", "origin", "toolchain", "variant"]
    groups = rows[rows["variant"].isin(shown)].groupby(keys, sort=False)
    parts = [group.iloc[evenly_spaced(len(group), _POINTS)] for _, group in groups]
    return pd.concat(parts) if parts else None


def _microseconds(end: str) -> Column:
    return Column(f"{end} call", lambda row: f"{1e6 * row[end]:.3g} µs", right=True)


_FIGURES = (
    Column("trace", lambda row: f"{str(row['condition']).capitalize()}, {row['origin']}"),
    Column("variant"),
    _microseconds("fastest"),
    _microseconds("slowest"),
    Column("most dirty pages", lambda row: f"{row['most']:,}", right=True),
)


def _figures(rows: pd.DataFrame) -> Table:
    """Return the range of one call for each trace and variant."""
    lines = rows.groupby(["condition", "origin", "variant"], sort=False).agg(
        fastest=("seconds", "min"), slowest=("seconds", "max"), most=("remaining_pages", "max")
    )
    return make_table(_FIGURES, lines.reset_index())


SECTION = Section(
    key="runtime",
    title="Runtime against remaining dirty pages",
    said="Each point is one snapshot: the time of one call over the pages that are still dirty. "
    "The original takes about as long whatever is dirty; what the patch takes depends on how dirty "
    "pages lie, and only through that on how many there are.",
    command="make bench",
    rows=_thinned,
    draw=lambda _, rows: draw_runtime(rows, as_outlines=True),
    shown=("condition", "origin", "variant", "tick_ms", "remaining_pages", "dirty_runs", "seconds"),
    figures=_figures,
    whole=lambda result: draw_runtime(read_table(result.folder, SNAPSHOTS)),
)
