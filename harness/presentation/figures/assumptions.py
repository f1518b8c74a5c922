"""What comes out where something about a guest is assumed differently: a line each."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.presentation.figures.scale import plain_log_axis
from harness.presentation.figures.style import (
    BLACK,
    CLAIM,
    GREY,
    add_legend,
    house_style,
    mark,
    variant_colour,
)


def draw_assumptions(found: pd.DataFrame) -> Figure:
    """Draw the first variant's rows of one ``assumptions.csv``, a panel for each condition."""
    variant, toolchain = found["variant"].iloc[0], found["toolchain"].iloc[0]
    found = found[(found["variant"] == variant) & (found["toolchain"] == toolchain)]
    groups = {str(name): rows for name, rows in found.groupby("condition", sort=False)}
    colour = variant_colour(variant, [variant])
    with house_style():
        figure = Figure(figsize=(9, 0.27 * len(found) + 0.4 * len(groups) + 1.2),
                        layout="constrained")  # fmt: skip
        heights = [len(rows) + 0.5 for rows in groups.values()]
        panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights)[
            :, 0
        ]
        for axes, (condition, rows) in zip(panels, groups.items(), strict=True):
            _draw_panel(axes, rows, colour)
            axes.set_title(condition.capitalize())
        panels[-1].set_xlabel(f"speedup of {variant} ({toolchain})")
        handles = [
            Line2D([], [], color=colour, marker="o", label=f"{variant}, with 95 % interval"),
            Line2D([], [], color=GREY, linestyle=":", label="as assumed"),
            Patch(facecolor=CLAIM, alpha=0.28, label="the letter's range (2010)"),
        ]
        add_legend(figure, handles, 3)
        return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    low, high = rows["claim_low"].iloc[0], rows["claim_high"].iloc[0]
    if low == low:  # a missing claim is NaN
        axes.axvspan(low, high, color=CLAIM, alpha=0.28, linewidth=0)
    axes.axvline(rows["speedup"].iloc[0], color=GREY, linestyle=":", linewidth=1)
    axes.axvline(1, color=BLACK, linewidth=1)
    for place, (index, row) in enumerate(zip(rows.index, rows.to_dict("records"), strict=True)):
        reach = [[row["speedup"] - row["speedup_low"]], [row["speedup_high"] - row["speedup"]]]
        drawn = axes.errorbar(row["speedup"], -place, xerr=reach, color=colour, marker="o",
                              markersize=5, capsize=3, linewidth=1.2)  # fmt: skip
        mark(drawn.lines[0], [index])
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    axes.set_yticks([-place for place in range(len(rows))], rows["assumption"], fontsize=8.5)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.margins(x=0.12)
