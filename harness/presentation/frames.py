"""What pictures are put together from: panels, and speedups with their intervals in them."""

from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.presentation.style import CLAIM, VERMILLION, key, mark
from harness.presentation.table import Row

Place = tuple[float, float]
"""In a panel: x and y."""
_BELOW = 0.24
"""How far below a line, in lines, lies what its rounds say that nothing has slowed."""
_QUIET: dict[str, Any] = {"color": VERMILLION, "linewidth": 1.2}
_CROSS: dict[str, Any] = {"marker": "x", "markersize": 4.5}


def make_panels(
    width: float, height: float, lines: int = 1, columns: int = 1, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many inches, and its panels, line by line."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(lines, columns, squeeze=False, **shared).flat)


def make_pairs(
    count: int, panel: tuple[float, float], around: tuple[float, float], **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` panels, two in a line.

    Args:
        panel: inches of one panel, across and down.
        around: inches beside and below all of them.
    """
    columns = min(2, count)
    lines = -(-count // columns)
    size = (panel[0] * columns + around[0], panel[1] * lines + around[1])
    figure, panels = make_panels(*size, lines, columns, **shared)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def of_first_toolchain(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the toolchain that comes first."""
    first: str = rows["toolchain"].iloc[0]
    return rows[rows["toolchain"] == first]


def draw_interval(
    axes: Axes, row: Row, index: Any, place: float, upright: bool = False, **style: Any
) -> None:
    """Draw the speedup of a row and its interval, along x unless ``upright``.

    Args:
        index: of the row, for who hovers over it.
        place: on the other axis.
    """
    reach = [[row["speedup"] - row["speedup_low"]], [row["speedup_high"] - row["speedup"]]]
    at: dict[str, Any] = (
        {"x": place, "y": row["speedup"], "yerr": reach}
        if upright
        else {"x": row["speedup"], "y": place, "xerr": reach}
    )
    style = {"markersize": 5, "capsize": 3, "linewidth": 1.2} | style
    mark(axes.errorbar(**at, **style).lines[0], [index])


def draw_quiet(axes: Axes, row: Row, place: float) -> None:
    """Draw what the rounds of a row say alone that nothing has slowed, if they do.

    Args:
        place: on the axis upright, of the line below which it lies.
    """
    if isnan(row["quiet_speedup"]):
        return
    below = place - _BELOW
    axes.plot([row["quiet_low"], row["quiet_high"]], [below, below], **_QUIET)
    axes.plot(row["quiet_speedup"], below, **_QUIET, **_CROSS)


def quiet_key() -> Line2D:
    """Return the line of a legend for :func:`draw_quiet`."""
    return key("rounds that nothing slowed", **_QUIET, **_CROSS)


def draw_claimed(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the range that is claimed of ``rows`` as a band, if there is one."""
    low, high = rows["claim_low"].iloc[0], rows["claim_high"].iloc[0]
    if low == low:  # a missing claim is NaN
        axes.axvspan(low, high, color=CLAIM, alpha=0.28, linewidth=0)


def draw_claimed_across(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the range that is claimed of ``rows`` as :func:`draw_claimed`, speedups upright."""
    low, high = rows["claim_low"].iloc[0], rows["claim_high"].iloc[0]
    axes.axhspan(low, high, color=CLAIM, alpha=0.28, linewidth=0)


def move_apart(places: list[Place], apart: float) -> list[Place]:
    """Return ``places``, those pushed away from each other that are nearer than ``apart``."""
    moved = np.array(places, dtype=np.float64).reshape(-1, 2)
    # Those at the very same place leave it in different directions.
    angles = np.arange(len(moved)) * np.pi * (3 - 5**0.5)
    moved += 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for _ in range(300):
        between = moved[:, None] - moved[None]
        distance = np.hypot(between[..., 0], between[..., 1]) + np.eye(len(moved))
        push = np.clip(apart - distance, 0, None) * (1 - np.eye(len(moved)))
        if not push.any():
            break
        moved += 0.3 * (between / distance[..., None] * push[..., None]).sum(axis=1)
    return [(float(x), float(y)) for x, y in moved]
