"""The letter's remark, drawn: the runtime changes with the number of remaining dirty pages."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.measurement.plan import AGAIN
from harness.presentation.figures.scale import format_plain, plain_log_axis
from harness.presentation.figures.style import add_legend, house_style, mark, variant_colour


def draw_runtime(rows: pd.DataFrame, as_outlines: bool = False) -> Figure:
    """Draw the rows of one ``snapshots.csv``, a panel for each trace.

    Args:
        as_outlines: whether points stay points however many there are.
    """
    rows = rows[~rows["variant"].str.endswith(AGAIN)]
    panels = list(rows.groupby(["condition", "origin", "toolchain"], sort=False))
    variants = list(dict.fromkeys(rows["variant"]))
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    several = len(set(rows["toolchain"])) > 1
    with house_style():
        figure = Figure(figsize=(4.6 * columns, 3.0 * lines + 0.5), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes, (names, group) in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, group, variants, as_outlines)
            condition, origin, toolchain = (str(name) for name in names)
            title = f"{condition.capitalize()}, {origin}"
            axes.set_title(f"{title}, {toolchain}" if several else title)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("time of one call (µs)")
        for place in range(columns):
            below = [axes for axes in grid[:, place] if axes.get_visible()]
            below[-1].set_xlabel("remaining dirty pages (thousands)")
            below[-1].tick_params(labelbottom=True)
        handles, _ = grid.flat[0].get_legend_handles_labels()
        add_legend(figure, handles, 4, markerscale=2.5)
        return figure


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
    axes.set_yscale("log")
    plain_log_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))
