"""The ratios of a claim by compiler, a panel a condition."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.presentation.figures.scale import plain_log_axis
from harness.presentation.figures.style import (
    BLACK,
    BLUE,
    CLAIM,
    GREY,
    VERMILLION,
    add_legend,
    house_style,
    mark,
)

_ORIGINS = {"synthetic": ("o", BLUE), "captured": ("s", VERMILLION)}


def draw_toolchains(found: pd.DataFrame) -> Figure:
    """Draw the claimed variant; without one, the first."""
    claimed = found.dropna(subset=["claim_low"])
    found = claimed if len(claimed) else found[found["variant"] == found["variant"].iloc[0]]
    conditions = list(dict.fromkeys(found["condition"]))
    toolchains = list(dict.fromkeys(found["toolchain"]))[::-1]
    with house_style():
        size = (2.6 * len(conditions) + 1.6, 0.34 * len(toolchains) + 1.9)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(conditions), sharey=True, squeeze=False)[0]
        for axes, condition in zip(panels, conditions, strict=True):
            _draw_panel(axes, found[found["condition"] == condition], toolchains)
            axes.set_title(condition.capitalize())
        panels[0].set_yticks(range(len(toolchains)), toolchains)
        for axes in panels:
            axes.set_xlabel(f"speedup of {found['variant'].iloc[0]}")
        handles: list[Line2D | Patch] = [
            Line2D([], [], color=colour, marker=marker, linestyle="none", label=f"{origin} trace")
            for origin, (marker, colour) in _ORIGINS.items()
        ]
        handles.append(Patch(facecolor=CLAIM, alpha=0.28, label="the letter's range (2010)"))
        add_legend(figure, handles, 3)
        return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, toolchains: list[str]) -> None:
    low, high = rows["claim_low"].iloc[0], rows["claim_high"].iloc[0]
    if low == low:  # a missing claim is NaN
        axes.axvspan(low, high, color=CLAIM, alpha=0.28, linewidth=0)
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
        marker, colour = _ORIGINS[row["origin"]]
        place = toolchains.index(row["toolchain"])
        reach = [[row["speedup"] - row["speedup_low"]], [row["speedup_high"] - row["speedup"]]]
        drawn = axes.errorbar(
            row["speedup"], place + (0.14 if row["origin"] == "synthetic" else -0.14), xerr=reach,
            marker=marker, color=colour, markersize=5, capsize=2, linewidth=1,
        )  # fmt: skip
        mark(drawn.lines[0], [index])
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    axes.axvline(1, color=BLACK, linewidth=1)
    for place in range(1, len(toolchains)):
        if toolchains[place].split("-")[0] != toolchains[place - 1].split("-")[0]:
            axes.axhline(place - 0.5, color=GREY, linewidth=0.6)
    axes.margins(x=0.12)
