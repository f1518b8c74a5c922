"""Speedup over dirty density and mean run length, as a map for each variant."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from harness.presentation.figures.style import BLACK, add_legend, house_style, mark
from harness.presentation.table import format_short

_MARKERS = {"synthetic": "o", "captured": "s"}
_APART = 0.5
"""Cells that must lie between the middles of two marks."""
_Place = tuple[float, float]


def draw_density(found: pd.DataFrame) -> Figure:
    """Draw a panel for each variant (of the first toolchain) and mark the conditions' traces."""
    found = found[found["toolchain"] == found["toolchain"].iloc[0]]
    traces = found[found["trace"] != ""].drop_duplicates("trace")
    found = found[found["trace"] == ""]
    variants = list(dict.fromkeys(found["variant"]))
    columns = min(2, len(variants))
    lines = -(-len(variants) // columns)
    with house_style():
        figure = Figure(figsize=(5.6 * columns + 1, 4.0 * lines + 0.4), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False)
        norm = TwoSlopeNorm(0, vmin=-3, vmax=6)
        image = None
        for axes, variant in zip(grid.flat, variants, strict=False):
            true = _places(found, traces)
            places = _move_apart(true)
            image = _draw_panel(axes, found[found["variant"] == variant], norm, places)
            _draw_marks(axes, traces, true, places)
            axes.set_title(str(variant))
        for axes in grid.flat[len(variants) :]:
            axes.set_visible(False)
        assert image is not None
        bar = figure.colorbar(image, ax=grid, aspect=35, pad=0.02, extend="both")
        bar.set_ticks(range(-3, 7), labels=[f"{2.0**power:g}" for power in range(-3, 7)])
        bar.set_label("speedup (original time / variant time)")
        bar.outline.set_visible(False)
        handles = [
            Line2D([], [], marker=marker, color="white", markeredgecolor=BLACK, linestyle="none",
                   markersize=10,
                   label=f"{origin} trace of Cond1 to Cond4")
            for origin, marker in _MARKERS.items()
        ]  # fmt: skip
        add_legend(figure, handles, 2)
        return figure


def _places(rows: pd.DataFrame, traces: pd.DataFrame) -> list[_Place]:
    """Return where in the cells each trace lies, (column, line), by its density and run length."""
    densities, runs = _axis(rows, "asked_density"), _axis(rows, "asked_mean_run")
    return [
        (
            float(np.interp(trace["density"], densities, range(len(densities)))),
            float(np.interp(np.log(max(trace["mean_run"], 1)), np.log(runs), range(len(runs)))),
        )
        for trace in traces.to_dict("records")
    ]


def _move_apart(places: list[_Place]) -> list[_Place]:
    """Return ``places``, those that would hide each other pushed apart."""
    moved = np.array(places, dtype=np.float64).reshape(-1, 2)
    # Those at the very same place leave it in different directions.
    angles = np.arange(len(moved)) * np.pi * (3 - 5**0.5)
    moved += 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for _ in range(300):
        between = moved[:, None] - moved[None]
        distance = np.hypot(between[..., 0], between[..., 1]) + np.eye(len(moved))
        push = np.clip(_APART - distance, 0, None) * (1 - np.eye(len(moved)))
        if not push.any():
            break
        moved += 0.3 * (between / distance[..., None] * push[..., None]).sum(axis=1)
    return [(float(x), float(y)) for x, y in moved]


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, norm: TwoSlopeNorm, marks: list[_Place]
) -> AxesImage:
    densities, runs = _axis(rows, "asked_density"), _axis(rows, "asked_mean_run")
    cells = np.full((len(runs), len(densities)), np.nan)
    shown = np.zeros(cells.shape, int)
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
        column = int(np.searchsorted(densities, row["asked_density"]))
        line = int(np.searchsorted(runs, row["asked_mean_run"]))
        where = slice(None) if row["asked_density"] in (0, 1) else line
        cells[where, column] = row["speedup"]
        shown[where, column] = index
    image = axes.imshow(
        np.log2(cells), origin="lower", aspect="auto", cmap="RdBu", norm=norm, alpha=0.85
    )
    for (line, column), speedup in np.ndenumerate(cells):
        alone = densities[column] in (0, 1)
        covered = any(abs(x - column) < 0.6 and abs(y - line) < 0.5 for x, y in marks)
        if np.isfinite(speedup) and not covered and (not alone or line == len(runs) // 2):
            dark = abs(norm(np.log2(speedup)) - 0.5) > 0.38
            written = axes.text(
                column, line, format_short(speedup), ha="center", va="center", fontsize=7,
                color="white" if dark else BLACK,
            )  # fmt: skip
            mark(written, [int(shown[line, column])])
    axes.set_xticks(range(len(densities)), [f"{density:.4g}" for density in 100 * densities])
    axes.set_yticks(range(len(runs)), [f"{run:,.0f}" for run in runs])
    axes.set_xlabel("dirty pages (%)")
    axes.set_ylabel("mean run of dirty pages (pages)")
    axes.grid(visible=False)
    return image


def _draw_marks(axes: Axes, traces: pd.DataFrame, true: list[_Place], places: list[_Place]) -> None:
    """Mark traces by the number of their condition, with a line to the place if it had to move."""
    for trace, (x0, y0), (x, y) in zip(traces.to_dict("records"), true, places, strict=True):
        name, origin = trace["trace"].split()
        axes.plot([x0, x], [y0, y], color=BLACK, linewidth=0.8, zorder=3)
        axes.plot(x0, y0, marker=".", color=BLACK, markersize=3, zorder=3)
        axes.plot(
            x, y, marker=_MARKERS[origin], color="white", markeredgecolor=BLACK, markersize=11,
            zorder=4,
        )  # fmt: skip
        axes.text(
            x, y, name.removeprefix("cond"), ha="center", va="center_baseline", fontsize=7.5,
            fontweight="bold", color=BLACK, zorder=5,
        )  # fmt: skip


def _axis(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.unique(rows[column].to_numpy(dtype=np.float64))
