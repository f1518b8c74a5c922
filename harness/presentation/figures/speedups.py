"""The main picture: the speedup under each condition beside the range that was claimed."""

import matplotlib.patches as patches
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.presentation.figures.scale import name_places, plain_log_axis
from harness.presentation.figures.style import (
    BLACK,
    CLAIM,
    add_legend,
    house_style,
    mark,
    note,
    variant_colour,
)

_MARKERS = {"synthetic": "o", "captured": "s", "imported": "D"}
_WIDTH = 1.9
"""Inches of a condition."""
_NUMBER = 42
"""Points that a mark with its number takes."""


def draw_speedups(rows: pd.DataFrame) -> Figure:
    """Draw the rows of one ``speedups.csv``, the noise floor left out, a panel a toolchain."""
    rows = rows[~rows["noise_floor"]]
    conditions = list(dict.fromkeys(rows["condition"]))
    variants = list(dict.fromkeys(rows["variant"]))
    toolchains = list(dict.fromkeys(rows["toolchain"]))
    with house_style():
        size = (max(6.5, _WIDTH * len(conditions) + 1.2), 1.2 + 3.8 * len(toolchains))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(toolchains), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        for axes, toolchain in zip(panels, toolchains, strict=True):
            _draw_panel(axes, rows[rows["toolchain"] == toolchain], conditions, variants)
            if len(toolchains) > 1:
                axes.set_title(str(toolchain))
        if len(toolchains) == 1:
            panels[0].set_title(f"Checking several pages at once ({toolchains[0]})", pad=18)
            note(panels[0], "above 1 the variant is faster, below 1 slower; logarithmic scale")
        _legend(figure, rows)
        return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, conditions: list[str], variants: list[str]) -> None:
    axes.set_yscale("log")
    _draw_claims(axes, rows, conditions)
    _draw_rows(axes, rows, conditions, variants)
    axes.axhline(1, color=BLACK, linewidth=1)
    plain_log_axis(axes.yaxis)
    names = [name.capitalize() for name in conditions]
    name_places(axes, names, max(6.5 - 1.2, _WIDTH * len(names)))
    axes.tick_params(axis="x", length=0, labelbottom=True)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.08)
    axes.set_ylabel("speedup\n(original time / variant time)")


def _draw_claims(axes: Axes, rows: pd.DataFrame, conditions: list[str]) -> None:
    claims = rows.dropna(subset=["claim_low"]).drop_duplicates(["condition", "claim"])
    for row in claims.to_dict("records"):
        place = conditions.index(row["condition"])
        low, high = row["claim_low"], row["claim_high"]
        band = patches.Rectangle(
            (place - 0.42, low), 0.84, high - low, facecolor=CLAIM, alpha=0.28, edgecolor="none"
        )
        axes.add_patch(band)
        axes.plot([place - 0.42, place + 0.42], [low, low], color=CLAIM, linewidth=1)
        axes.plot([place - 0.42, place + 0.42], [high, high], color=CLAIM, linewidth=1)


def _draw_rows(axes: Axes, rows: pd.DataFrame, conditions: list[str], variants: list[str]) -> None:
    for condition, group in rows.groupby("condition", sort=False):
        place = conditions.index(str(condition))
        step, records = 0.7 / len(group), group.to_dict("records")
        for number, (index, row) in enumerate(zip(group.index, records, strict=True)):
            x = place + (number - (len(group) - 1) / 2) * step
            colour = variant_colour(row["variant"], variants)
            axes.plot(
                [x, x],
                [row["snapshot_speedup_min"], row["snapshot_speedup_max"]],
                color=colour,
                linewidth=7,
                alpha=0.3,
                solid_capstyle="butt",
            )
            error = [
                [row["speedup"] - row["speedup_low"]],
                [row["speedup_high"] - row["speedup"]],
            ]
            drawn = axes.errorbar(
                x,
                row["speedup"],
                yerr=error,
                color=colour,
                marker=_MARKERS[row["origin"]],
                markersize=6,
                markerfacecolor=colour if row["stopped"] == "precise" else "white",
                capsize=4,
                linewidth=1.4,
                zorder=3,
            )
            mark(drawn.lines[0], [index])
            if step * 72 * _WIDTH >= _NUMBER:
                axes.annotate(
                    f"{row['speedup']:.{2 if row['speedup'] < 100 else 0}f}",
                    (x, row["speedup"]),
                    xytext=(8, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=BLACK,
                )


def _legend(figure: Figure, rows: pd.DataFrame) -> None:
    variants = list(dict.fromkeys(rows["variant"]))
    handles: list[Line2D | patches.Patch] = []
    for variant in variants:
        colour = variant_colour(variant, variants)
        handles.append(patches.Patch(color=colour, label=variant))
    for origin in dict.fromkeys(rows["origin"]):
        handles.append(
            Line2D([], [], color=BLACK, marker=_MARKERS[origin], linestyle="none",
                   label=f"{origin} trace, with 95 % interval")
        )  # fmt: skip
    if (rows["stopped"] != "precise").any():
        handles.append(
            Line2D([], [], color=BLACK, marker="o", markerfacecolor="white", linestyle="none",
                   label="not as precise as asked for")
        )  # fmt: skip
    handles.append(
        Line2D([], [], color=BLACK, alpha=0.3, linewidth=7, label="from snapshot to snapshot")
    )
    if rows["claim_low"].notna().any():
        handles.append(
            patches.Patch(facecolor=CLAIM, alpha=0.28, label="the letter's range (2010)")
        )
    add_legend(figure, handles, 3)
