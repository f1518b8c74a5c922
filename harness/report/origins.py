"""Two or more traces beside each other: dirty pages and runs over time, and lengths of runs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from harness.presentation.frames import make_panels
from harness.presentation.scale import format_plain, plain_log_axis
from harness.presentation.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    add_legend,
    house_style,
)
from harness.report.section import Section
from harness.report.stored import Stored
from harness.report.traces import profile_rows, profile_table
from workloads.profile import Profile, profile_trace
from workloads.trace import Trace

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE)


@house_style()
def draw_comparison(groups: Mapping[str, Sequence[Profile]]) -> Figure:
    """Draw each group of profiles, by the title of its row, as three panels."""
    figure, panels = make_panels(11, 2.6 * len(groups) + 0.5, len(groups), 3)
    rows = [(panels[i], panels[i + 1], panels[i + 2]) for i in range(0, len(panels), 3)]
    for (first, second, third), (title, profiles) in zip(rows, groups.items(), strict=True):
        for number, profile in enumerate(profiles):
            colour = _COLOURS[number % len(_COLOURS)]
            _draw_profile((first, second, third), profile, colour)
        first.set_title(title)
        first.set_ylabel("dirty pages\n(thousands)")
        second.set_ylabel("runs of dirty pages\nin a snapshot")
        third.set_ylabel("share of\ndirty pages")
        plain_log_axis(second.yaxis)
        second.set_ylim(0.8, None)
        third.set_xscale("log", base=16)
        third.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))
        third.xaxis.set_minor_locator(NullLocator())
        third.set_ylim(0, 1.05)
    for axes in rows[-1][:2]:
        axes.set_xlabel("time since the migration began (s)")
    rows[-1][2].set_xlabel("in runs of at least so many pages")
    handles, _ = panels[0].get_legend_handles_labels()
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


def _comparable(result: Stored) -> dict[str, list[Trace]]:
    """Return the traces of each condition that has both synthetic and captured ones."""
    groups: dict[str, list[Trace]] = {}
    for trace in result.traces:
        groups.setdefault(trace.source.condition or trace.source.name, []).append(trace)
    return {
        name.capitalize(): group
        for name, group in groups.items()
        if len({trace.source.origin for trace in group}) > 1
    }


def _draw(result: Stored) -> Figure:
    groups = _comparable(result).items()
    return draw_comparison({name: [*map(profile_trace, group)] for name, group in groups})


SECTION = Section(
    key="origins",
    title="Where synthetic and captured traces differ",
    said="Dirty pages and runs over time, and the share of dirty pages in runs of at least so "
    "many. Today's QEMU reads the dirty log once a round, so captured maps stay as they are for "
    "longer than the models' maps, which are synchronised every tick as in 2010.",
    command="dirtyscan trace compare A.trace B.trace",
    rows=lambda result: profile_rows(result) if _comparable(result) else None,
    draw=lambda result, _: _draw(result),
    shown=("condition", "origin"),
    figures=profile_table,
    whole=lambda result: _draw(result) if _comparable(result) else None,
    of_traces=True,
)
