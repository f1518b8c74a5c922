"""The time of a whole tick, for each design of the dirty map."""

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.figures.scale import guest_memory_axis, name_places, plain_log_axis
from harness.presentation.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILLION,
    add_legend,
    house_style,
    mark,
)

_COLOURS = (GREY, BLUE, VERMILLION, GREEN, PURPLE)
_MARKERS = ("o", "s", "D", "^", "v")


def draw_tick(found: pd.DataFrame) -> Figure:
    """Draw microseconds on captured traces, and the share of 100 ms over guest memory."""
    found = found[found["toolchain"] == found["toolchain"].iloc[0]].fillna({"trace": ""})
    designs = list(dict.fromkeys(found["variant"]))
    captured, random = found[found["trace"] != ""], found[found["trace"] == ""]
    traces = list(dict.fromkeys(captured["trace"]))
    with house_style():
        figure = Figure(figsize=(11, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for number, design in enumerate(designs):
            style = {"color": _COLOURS[number % len(_COLOURS)],
                     "marker": _MARKERS[number % len(_MARKERS)], "markersize": 5}  # fmt: skip
            shift = (number - (len(designs) - 1) / 2) * 0.15
            rows = captured[captured["variant"] == design]
            places = [traces.index(trace) + shift for trace in rows["trace"]]
            (drawn,) = left.plot(
                places, 1e6 * rows["seconds"], linestyle="none", label=str(design), **style
            )
            mark(drawn, rows.index)
            rows = random[random["variant"] == design].sort_values("guest_memory_bytes")
            (drawn,) = right.plot(rows["guest_memory_bytes"], 100 * rows["share_of_tick"], **style)
            mark(drawn, rows.index)
        left.set_ylim(0, None)
        name_places(left, [trace.capitalize() for trace in traces], 4.4)
        left.set_ylabel("time of one tick (µs)")
        left.set_title("Captured traces, 512 MiB")
        guest_memory_axis(right, random["guest_memory_bytes"])
        right.set_yscale("log")
        plain_log_axis(right.yaxis)
        right.axhline(100, color=GREY, linewidth=0.8)
        right.set_ylabel("share of the 100 ms between ticks (%)")
        right.set_title("A tenth dirty, in runs of 64 pages")
        add_legend(figure, left.get_legend_handles_labels()[0], len(designs))
        return figure
