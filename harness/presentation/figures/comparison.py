"""Two or more traces beside each other: dirty pages and runs over time, and lengths of runs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from harness.presentation.figures.scale import format_plain, plain_log_axis
from harness.presentation.figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    add_legend,
    house_style,
)
from workloads.profile import Profile

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE)


def draw_comparison(groups: Sequence[tuple[str, Sequence[Profile]]]) -> Figure:
    """Draw each group of profiles as a row of three panels.

    Args:
        groups: the title of each row, and what is compared in it.
    """
    with house_style():
        figure = Figure(figsize=(11, 2.6 * len(groups) + 0.5), layout="constrained")
        grid = figure.subplots(len(groups), 3, squeeze=False)
        for (first, second, third), (title, profiles) in zip(grid, groups, strict=True):
            for number, profile in enumerate(profiles):
                colour = _COLOURS[number % len(_COLOURS)]
                _draw_profile((first, second, third), profile, colour)
            first.set_title(title)
            first.set_ylabel("dirty pages\n(thousands)")
            second.set_ylabel("runs of dirty pages\nin a snapshot")
            third.set_ylabel("share of\ndirty pages")
            second.set_yscale("log")
            second.set_ylim(0.8, None)
            third.set_xscale("log", base=16)
            third.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))
            third.xaxis.set_minor_locator(NullLocator())
            plain_log_axis(second.yaxis)
            third.set_ylim(0, 1.05)
        for axes in grid[-1, :2]:
            axes.set_xlabel("time since the migration began (s)")
        grid[-1, 2].set_xlabel("in runs of at least so many pages")
        handles, _ = grid[0, 0].get_legend_handles_labels()
        add_legend(figure, handles, len(handles))
        return figure


def _draw_profile(panels: tuple[Axes, Axes, Axes], profile: Profile, colour: str) -> None:
    seconds = np.array(profile.trace.ticks_ms) / 1000
    label = profile.trace.source.origin
    panels[0].plot(seconds, profile.dirty / 1000, color=colour, linewidth=1.4, label=label)
    panels[1].plot(seconds, profile.runs, color=colour, linewidth=1.4)
    # Pages in a bin, taking the middle of its lengths for each run.
    lengths = 1.5 * 2.0 ** np.arange(len(profile.run_lengths)) - 0.5
    pages = profile.run_lengths * lengths
    at_least = pages[::-1].cumsum()[::-1] / max(1.0, pages.sum())
    panels[2].step(
        2.0 ** np.arange(len(at_least)), at_least, where="post", color=colour, linewidth=1.4
    )
