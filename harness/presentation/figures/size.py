"""The share of a tick, and of the machine's limit, over the size of the guest."""

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.figures.scale import guest_memory_axis, plain_log_axis
from harness.presentation.figures.style import (
    BLACK,
    GREY,
    add_legend,
    house_style,
    mark,
    variant_colour,
)

_STYLES = {"byte map": "-", "bitmap": "--", "two-level bitmap": ":"}


def draw_size(found: pd.DataFrame) -> Figure:
    """Draw two panels: share of a 100 ms tick, and share of reading the map and nothing else."""
    found = found[found["toolchain"] == found["toolchain"].iloc[0]]
    variants = list(dict.fromkeys(found["variant"]))
    with house_style():
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        tick, limit = figure.subplots(1, 2, width_ratios=(1.25, 1))
        for variant, group in found.groupby("variant", sort=False):
            style = {
                "color": variant_colour(str(variant), variants),
                "linestyle": _STYLES.get(group["map"].iloc[0], "-"),
                "marker": "o",
                "markersize": 3.5,
                "linewidth": 1.4,
            }
            sizes = group["guest_memory_bytes"]
            (drawn,) = tick.plot(sizes, 100 * group["share_of_tick"], label=str(variant), **style)
            if group["share_of_limit"].notna().all():
                (beside,) = limit.plot(sizes, group["share_of_limit"], **style)
                mark(beside, group.index)
            mark(drawn, group.index)
        guest_memory_axis(tick, found["guest_memory_bytes"])
        tick.set_yscale("log")
        plain_log_axis(tick.yaxis)
        for share in (1, 10, 100):
            tick.axhline(share, color=GREY, linewidth=0.8)
        tick.set_ylabel("share of a 100 ms tick (%)")
        tick.set_title("What a count takes")
        guest_memory_axis(limit, found["guest_memory_bytes"])
        limit.axhline(1, color=BLACK, linewidth=1)
        limit.axhline(0.9, color=GREY, linewidth=0.8)
        limit.set_ylim(0, None)
        limit.set_ylabel("speed as a share of reading the map")
        limit.set_title("Against the limit")
        figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
        add_legend(figure, tick.get_legend_handles_labels()[0], 5, handlelength=3)
        return figure
