"""The picture of a tick's parts: what share each is of the work, and how long each takes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.kernel.parts import COUNTS, GUEST, PARTS, SYNC, ticks
from harness.native.operation import DEFAULT_OPERATION
from harness.presentation.frames import make_panels
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    add_legend,
    house_style,
    key,
    mark,
    note,
)

_COLOURS = dict(zip(PARTS, (VERMILLION, ORANGE, GREEN, BLUE, PURPLE, GREY), strict=True))
_NAMES = {GUEST: "guest: faults", SYNC: "kernel: sync"}
_MARKERS = dict(zip(COUNTS, "osD", strict=True))


@house_style()
def draw_tick_parts(found: pd.DataFrame) -> Figure:
    """Draw what share of a tick each part is, with the guest's and without, and their times."""
    maps = list(dict.fromkeys(found["map"]))
    figure, panels = make_panels(5.8, 0.72 * len(maps) + 4.4, 3, 1, height_ratios=(1, 1, 1.2))
    whole, own, times = panels
    each = ticks(found).reindex(maps)
    _draw_shares(whole, each)
    whole.set_title("What tracking takes in a tick (sending is not in it)", pad=16)
    note(whole, str(found["host"].iloc[0]).partition(", Linux")[0])
    _draw_shares(own, each.drop(columns=GUEST, errors="ignore"))
    own.set_title("The hypervisor's part of it")
    own.set_xlabel("share (%), with the count of 2010")
    for part in each:
        for kind in _MARKERS if part == DEFAULT_OPERATION else ("",):
            rows = found[found["part"] == part]
            rows = rows[rows["kind"] == kind] if kind else rows
            (dots,) = times.plot(
                1e6 * rows["seconds"], [-maps.index(name) for name in rows["map"]],
                linestyle="none", marker=_MARKERS.get(kind, "o"), color=_COLOURS[str(part)],
                markersize=5.5,
            )  # fmt: skip
            mark(dots, rows.index)
    plain_log_axis(times.xaxis)
    times.set_title("How long each takes")
    times.set_xlabel("time in a tick (µs)")
    for axes in panels:
        names = [name[0].upper() + name[1:] for name in maps]
        axes.set_yticks([-place for place in range(len(maps))], names)
        axes.set_ylim(-len(maps) + 0.4, 0.6)
    handles = [
        *(Patch(color=_COLOURS[str(part)], label=_NAMES.get(str(part), str(part)))
          for part in each if part != DEFAULT_OPERATION),
        *(key(f"count: {kind}", color=_COLOURS[DEFAULT_OPERATION], marker=marker, linestyle="none")
          for kind, marker in _MARKERS.items()),
    ]  # fmt: skip
    add_legend(figure, handles, 3)
    return figure


def _draw_shares(axes: Axes, parts: pd.DataFrame) -> None:
    """Draw a bar for each line of ``parts``, from the top down, in percent of the line's sum.

    Args:
        parts: seconds, a column a part; a part that is missing is left out of its line.
    """
    total = parts.sum(axis=1)
    left = np.zeros(len(parts))
    places = -np.arange(len(parts))
    for part in parts:
        share = (100 * parts[part] / total).fillna(0).to_numpy()
        axes.barh(places, share, left=left, color=_COLOURS[str(part)], height=0.68)
        left += share
    for place, seconds in zip(places, total, strict=True):
        axes.annotate(
            _time(seconds), (100, place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(0, 100)


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"
