"""The main picture: the speedup under each condition beside the range that was claimed."""

import matplotlib.patches as patches
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.presentation.frames import draw_interval, make_panels
from harness.presentation.scale import name_places, plain_log_axis
from harness.presentation.style import (
    BLACK,
    CLAIM,
    ORIGIN_MARKERS,
    add_legend,
    house_style,
    key,
    letters_range,
    note,
    variant_colour,
)
from harness.presentation.table import (
    INTERVAL,
    Column,
    claimed_range,
    format_short,
    make_table,
    short_interval,
)
from harness.report.placement import MARK, depends, placement_range, verdict_with_share
from harness.report.placement import mark as placed
from harness.report.run_table import with_toolchain
from harness.report.section import Section
from harness.report.stored import Stored
from harness.report.variants import MOST_SIDE_BY_SIDE, draw_ladder

_WIDTH = 1.9
"""Inches of a condition."""
_NUMBER = 42
"""Points that a mark with its number takes."""


@house_style()
def draw_speedups(rows: pd.DataFrame) -> Figure:
    """Draw the rows of one ``speedups.csv``, the noise floor left out, a panel a toolchain."""
    rows = rows[~rows["noise_floor"]]
    conditions = list(dict.fromkeys(rows["condition"]))
    variants = list(dict.fromkeys(rows["variant"]))
    toolchains = list(dict.fromkeys(rows["toolchain"]))
    size = (max(6.5, _WIDTH * len(conditions) + 1.2), 1.2 + 3.8 * len(toolchains))
    figure, panels = make_panels(*size, len(toolchains), 1, sharex=True, sharey=True)
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
            draw_interval(
                axes,
                row,
                index,
                x,
                upright=True,
                color=colour,
                marker=ORIGIN_MARKERS[row["origin"]],
                markersize=6,
                markerfacecolor=colour if row["stopped"] == "precise" else "white",
                capsize=4,
                linewidth=1.4,
                zorder=3,
            )
            if step * 72 * _WIDTH >= _NUMBER:
                axes.annotate(
                    f"{placed(row)}{row['speedup']:.{2 if row['speedup'] < 100 else 0}f}",
                    (x, row["speedup"]),
                    xytext=(8, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=BLACK,
                )


def _legend(figure: Figure, rows: pd.DataFrame) -> None:
    variants = list(dict.fromkeys(rows["variant"]))
    handles: list[Artist] = [
        patches.Patch(color=variant_colour(variant, variants), label=variant)
        for variant in variants
    ]
    for origin in dict.fromkeys(rows["origin"]):
        handles.append(
            key(f"{origin} trace, with 95 % interval", color=BLACK, marker=ORIGIN_MARKERS[origin],
                linestyle="none")
        )  # fmt: skip
    if (rows["stopped"] != "precise").any():
        handles.append(
            key("not as precise as asked for", color=BLACK, marker="o", markerfacecolor="white",
                linestyle="none")
        )  # fmt: skip
    handles.append(key("from snapshot to snapshot", color=BLACK, alpha=0.3, linewidth=7))
    if rows.apply(depends, axis=1).any():
        handles.append(key(f"{MARK} depends on where its code lies", linestyle="none"))
    if rows["claim_low"].notna().any():
        handles.append(letters_range())
    add_legend(figure, handles, 3)


def draw_main(rows: pd.DataFrame) -> Figure:
    """Draw the main picture of a run: side by side, or a line a variant if there are many."""
    many = rows.loc[~rows["noise_floor"], "variant"].nunique() > MOST_SIDE_BY_SIDE
    return draw_ladder(rows) if many else draw_speedups(rows)


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
    Column("the letter", claimed_range, right=True),
    Column("verdict", verdict_with_share),
)
SECTION = Section(
    key="speedups",
    title="The letter's four conditions",
    said="Each mark is the speedup of the patch over the original on a whole trace, with its 95 % "
    "interval; the orange bands are the ranges that the letter reports. A mark below the line at 1 "
    "is slower; the pale bars reach from the slowest to the fastest snapshot.",
    command="make bench",
    rows=choose_rows,
    draw=lambda _, rows: draw_main(rows),
    shown=("condition", "origin", "variant", *INTERVAL, "verdict"),
    figures=lambda rows: make_table(_FIGURES, rows),
    whole=lambda result: draw_main(result.speedups),
)
