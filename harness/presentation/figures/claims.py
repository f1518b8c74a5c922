"""Claims beside what was measured: a line each."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.claims.verdict import NOT_MEASURED
from harness.presentation.figures.scale import plain_log_axis
from harness.presentation.figures.style import (
    BLACK,
    BLUE,
    CLAIM,
    GREY,
    add_legend,
    house_style,
    mark,
)

_OPEN = 1.6
"""How far a range without an upper end is drawn beyond everything else, as a factor."""


def draw_claims(rows: pd.DataFrame) -> Figure:
    """Draw the rows of one ``claims.csv``, of which some may not have been measured."""
    with house_style():
        figure = Figure(figsize=(10, 0.3 * len(rows) + 1.7), layout="constrained")
        axes = figure.subplots()
        drawn_to = rows[["claimed_low", "claimed_high", "speedup_high"]].to_numpy()
        most = _OPEN * float(drawn_to[np.isfinite(drawn_to)].max())
        for place, row in enumerate(rows.to_dict("records")):
            low, high = row["claimed_low"], min(row["claimed_high"], most)
            axes.barh(-place, high - low, left=low, height=0.7, color=CLAIM, alpha=0.35)
            axes.plot([low, low], [-place - 0.35, -place + 0.35], color=CLAIM, linewidth=1.2)
            if row["captured_low"] == row["captured_low"]:  # a missing one is NaN
                span = [row["captured_low"], row["captured_high"]]
                axes.plot(span, [-place, -place], color=GREY, linewidth=4, alpha=0.6,
                          solid_capstyle="butt")  # fmt: skip
            if row["verdict"] == NOT_MEASURED:
                axes.annotate(NOT_MEASURED, (low, -place), xytext=(5, 0), fontsize=8.5,
                              textcoords="offset points", verticalalignment="center")  # fmt: skip
                continue
            reach = [[row["speedup"] - row["speedup_low"]], [row["speedup_high"] - row["speedup"]]]
            drawn = axes.errorbar(row["speedup"], -place, xerr=reach, color=BLUE, marker="o",
                                  markersize=5, capsize=3, linewidth=1.2)  # fmt: skip
            mark(drawn.lines[0], [rows.index[place]])
        axes.set_xscale("log")
        lows = rows[["claimed_low", "speedup_low", "captured_low"]].to_numpy()
        axes.set_xlim(float(np.nanmin(lows)) / _OPEN, most)
        plain_log_axis(axes.xaxis)
        axes.axvline(1, color=BLACK, linewidth=1)
        labels = [f"{row['claim']}: {row['workload']}" for row in rows.to_dict("records")]
        axes.set_yticks([-place for place in range(len(rows))], labels, fontsize=8.5)
        axes.set_ylim(-len(rows) + 0.4, 0.6)
        axes.set_xlabel("speedup (original time / variant time)")
        handles = [
            Patch(facecolor=CLAIM, alpha=0.35, label="claimed"),
            Line2D([], [], color=BLUE, marker="o", label="measured, with 95 % interval"),
            Line2D([], [], color=GREY, alpha=0.6, linewidth=4,
                   label="the same pair on captured traces"),
        ]  # fmt: skip
        add_legend(figure, handles, 3)
        return figure
