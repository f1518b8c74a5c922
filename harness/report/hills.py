"""Hills: how many single calls have which speedup, beside the ranges that the letter reports."""

from math import isnan

import matplotlib.patches as patches
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.claims.calls import calls_of
from harness.claims.verdict import usual_range
from harness.presentation.frames import draw_interval, draw_quiet, make_panels, quiet_key
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLACK,
    CLAIM,
    ORIGIN_MARKERS,
    add_legend,
    house_style,
    key,
    letters_range,
    variant_colour,
)
from harness.presentation.table import (
    INTERVAL,
    Row,
)
from harness.report.placement import MARK, depends
from harness.report.placement import mark as placed
from harness.results.speedups import named_apart

_WIDTH = 5.4
"""Inches of the picture: what a telephone shows without making letters too small to read."""
_LINE, _BETWEEN = 0.33, 0.8
"""Inches of a line, and how many lines are left free between two conditions."""
_LETTER = 0.09
"""Inches that a letter of a line's name takes."""
_BINS = 160
"""Over the whole axis, in which calls are counted."""
_HEIGHT = 0.62
"""Of the fullest bin of a line, in lines."""


@house_style()
def draw_speedups(rows: pd.DataFrame, calls: pd.DataFrame | None = None) -> Figure:
    """Draw the rows of one ``speedups.csv``, the noise floor left out.

    A panel for each toolchain of the original, with all that is compared with it.

    Args:
        calls: the single calls of these rows, as :func:`harness.claims.calls.single_calls` has
            them; without them the reach of the calls is drawn alone.
    """
    rows = rows[~rows["noise_floor"]]
    rows = rows.assign(called=named_apart(rows)["variant"])
    toolchains = list(dict.fromkeys(rows["original_toolchain"]))
    lines = max(_Lines(group).length for _, group in rows.groupby("original_toolchain"))
    longest = max(len(_name(row, _several(rows))) for row in rows.to_dict("records"))
    width = _WIDTH + _LETTER * max(0, longest - len("synthetic"))
    figure, panels = make_panels(
        width, len(toolchains) * (_LINE * lines + 0.7) + 1.5, len(toolchains), 1, sharex=True
    )
    for axes, toolchain in zip(panels, toolchains, strict=True):
        _draw_panel(axes, rows[rows["original_toolchain"] == toolchain], rows, calls)
        axes.set_title(f"Checking several pages at once ({toolchain})", x=-0.16)
    panels[-1].set_xlabel("speedup: original time / variant time (logarithmic)")
    _legend(figure, rows, calls)
    return figure


class _Lines:
    """Where the lines of a panel lie: one a trace and variant, conditions apart."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.heights: dict[int, float] = {}
        """The height of each row, by its index; the first lies at the top."""
        self.spans: dict[str, tuple[float, float]] = {}
        """The lowest and the highest line of each condition."""
        place = 0.0
        for condition, group in rows.groupby("condition", sort=False):
            first = place
            for index in group.index:
                self.heights[int(index)] = place
                place -= 1
            self.spans[str(condition)] = (place + 1, first)
            place -= _BETWEEN
        self.length = -place


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, every: pd.DataFrame, calls: pd.DataFrame | None
) -> None:
    lines = _Lines(rows)
    variants = list(dict.fromkeys(every["variant"]))
    low, high = _reach(every)
    plain_log_axis(axes.xaxis)
    axes.set_xlim(low, high)
    _draw_claims(axes, rows, lines)
    axes.axvline(1, color=BLACK, linewidth=1)
    edges = np.geomspace(low, high, _BINS + 1)
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
        place, colour = lines.heights[int(index)], variant_colour(row["variant"], variants)
        _draw_calls(axes, row, _of_row(row, calls), edges, place, colour)
        draw_interval(
            axes, row, index, place, color=colour, marker=ORIGIN_MARKERS[row["origin"]],
            markersize=5.5, markerfacecolor=colour if row["stopped"] == "precise" else "white",
            zorder=4,
        )  # fmt: skip
        draw_quiet(axes, row, place)
        _write_figures(axes, row, place)
    _name_lines(axes, rows, lines, _several(every))


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis: all calls, intervals and claims, and a little beside them."""
    names = ["snapshot_speedup_min", "snapshot_speedup_max", "claim_low", "claim_high", *INTERVAL,
             "quiet_low", "quiet_high"]  # fmt: skip
    drawn = rows[names].to_numpy(np.float64)
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    return min(0.95, float(drawn.min()) / 1.15), max(1.05, float(drawn.max()) * 1.15)


def _of_row(row: Row, calls: pd.DataFrame | None) -> NDArray[np.float64] | None:
    if calls is None:
        return None
    found = calls_of(row, calls)
    return found if len(found) else None


def _draw_calls(
    axes: Axes,
    row: Row,
    calls: NDArray[np.float64] | None,
    edges: NDArray[np.float64],
    place: float,
    colour: str,
) -> None:
    """Draw how many calls have which speedup as a hill on the line, and their usual range."""
    if calls is None:
        ends = [row["snapshot_speedup_min"], row["snapshot_speedup_max"]]
        axes.plot(ends, [place, place], color=colour, linewidth=6, alpha=0.3,
                  solid_capstyle="butt")  # fmt: skip
        return
    counts, _ = np.histogram(calls, edges)
    hill = place + _HEIGHT * np.sqrt(counts / counts.max())
    axes.stairs(hill, edges, baseline=place, fill=True, color=colour, alpha=0.45, linewidth=0)
    low, high = usual_range(calls)
    axes.plot([low, high], [place, place], color=colour, linewidth=3.5, alpha=0.55,
              solid_capstyle="butt")  # fmt: skip


def _draw_claims(axes: Axes, rows: pd.DataFrame, lines: _Lines) -> None:
    claims = rows.dropna(subset=["claim_low"]).drop_duplicates(["condition", "claim"])
    for row in claims.to_dict("records"):
        bottom, top = lines.spans[row["condition"]]
        low, high = row["claim_low"], row["claim_high"]
        bottom, top = bottom - 0.4, top + 0.85
        band = patches.Rectangle(
            (low, bottom), high - low, top - bottom, facecolor=CLAIM, alpha=0.25, edgecolor="none"
        )
        axes.add_patch(band)
        for end in (low, high):
            axes.plot([end, end], [bottom, top], color=CLAIM, linewidth=1)


def _write_figures(axes: Axes, row: Row, place: float) -> None:
    """Write the speedup and the share of calls inside the claim behind the end of a line."""
    texts = [f"{placed(row)}{row['speedup']:.{2 if row['speedup'] < 100 else 0}f}"]
    if not isnan(row["calls_within"]):
        texts.append(f"{row['calls_within']:.0%}")
    for text, x in zip(texts, (1.13, 1.27), strict=False):
        axes.annotate(text, (x, place), xycoords=("axes fraction", "data"), va="center",
                      ha="right", fontsize=9, annotation_clip=False)  # fmt: skip


def _several(rows: pd.DataFrame) -> bool:
    return len(set(rows["called"])) > 1


def _name(row: Row, several: bool) -> str:
    """Return the name of a line, with the variant if there are several."""
    return f"{row['called']}, {row['origin']}" if several else str(row["origin"])


def _name_lines(axes: Axes, rows: pd.DataFrame, lines: _Lines, several: bool) -> None:
    names = [_name(row, several) for row in rows.to_dict("records")]
    axes.set_yticks([lines.heights[int(index)] for index in rows.index], names)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    top = max(top for _, top in lines.spans.values())
    axes.set_ylim(-lines.length + _BETWEEN + 0.4, top + 1.3)
    for condition, (_, first) in lines.spans.items():
        axes.annotate(
            condition.capitalize(), (-0.02, first + 0.75), xycoords=("axes fraction", "data"),
            ha="right", va="center", fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    heads = ["speedup", "in range"] if rows["calls_within"].notna().any() else ["speedup"]
    for head, x in zip(heads, (1.13, 1.27), strict=False):
        axes.annotate(head, (x, top + 0.75), xycoords=("axes fraction", "data"), ha="right",
                      va="center", fontsize=8, color="#555555", annotation_clip=False)  # fmt: skip


def _legend(figure: Figure, rows: pd.DataFrame, calls: pd.DataFrame | None) -> None:
    variants = list(dict.fromkeys(rows["variant"]))
    handles: list[Artist] = [
        patches.Patch(color=variant_colour(variant, variants), label=variant)
        for variant in variants
    ]
    handles.append(
        key("whole trace, 95 % interval", color=BLACK, marker="o", markersize=5.5, linewidth=1.2)
    )
    if (rows["stopped"] != "precise").any():
        handles.append(
            key("not as precise as asked for", color=BLACK, marker="o", markerfacecolor="white",
                linestyle="none")
        )  # fmt: skip
    if calls is None:
        handles.append(key("from call to call", color=BLACK, alpha=0.3, linewidth=6))
    else:
        handles.append(patches.Patch(color=BLACK, alpha=0.3, label="single calls (root of number)"))
        handles.append(key("nine tenths of them", color=BLACK, alpha=0.5, linewidth=3.5))
    if rows["quiet_speedup"].notna().any():
        handles.append(quiet_key())
    if rows.apply(depends, axis=1).any():
        handles.append(key(f"{MARK} depends on where code lies", linestyle="none"))
    if rows["claim_low"].notna().any():
        handles.append(letters_range())
    add_legend(figure, handles, 2)
