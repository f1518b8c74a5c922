"""The share of a tick, and of the machine's limit, over the size of the guest."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.presentation.figures.style import BLACK, GREY, house_style, mark, variant_colour
from workloads.units import format_size

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
        _finish(tick, found)
        tick.set_yscale("log")
        tick.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        for share in (1, 10, 100):
            tick.axhline(share, color=GREY, linewidth=0.8)
        tick.set_ylabel("share of a 100 ms tick (%)")
        tick.set_title("What a count takes")
        _finish(limit, found)
        limit.axhline(1, color=BLACK, linewidth=1)
        limit.axhline(0.9, color=GREY, linewidth=0.8)
        limit.set_ylim(0, None)
        limit.set_ylabel("speed as a share of reading the map")
        limit.set_title("Against the limit")
        figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
        figure.legend(loc="outside lower center", ncols=5, fontsize=9, handlelength=3)
        return figure


def _finish(axes: Axes, found: pd.DataFrame) -> None:
    sizes = sorted(set(found["guest_memory_bytes"]))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_size(round(value))))
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlabel("guest memory")
