"""Axes: logarithmic ones labelled in plain numbers, sizes of guests, and names that have room."""

import itertools
import math
import re
import textwrap
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from harness.base.units import format_size

_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))
"""Ticks in a decade, from few to many."""
_ENOUGH = 5
_LETTER = 0.64  # width of a digit of DejaVu Sans, in font sizes


def format_plain(value: float) -> str:
    """Return a number as people write it: ``0.05``, ``8``, ``1,000``."""
    return f"{value:,.10g}"


def plain_log_axis(axis: Axis) -> None:
    """Make an axis logarithmic and label it in plain numbers, as many as have room."""
    which = "x" if axis is axis.axes.xaxis else "y"
    axis.axes.set(**{f"{which}scale": "log"})
    axis.set_major_locator(_PlainLogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_plain(value)))
    axis.set_minor_formatter(NullFormatter())


class _PlainLogLocator(Locator):
    """The fewest round numbers of which five are in view, as long as their labels have room."""

    def __call__(self) -> list[float]:
        assert isinstance(self.axis, Axis)
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        low, high = sorted((vmin, vmax))
        if low <= 0:
            return []
        decades = math.log10(high / low)
        choices = [_ticks(low, high, (1.0,), every) for every in (4, 3, 2)]
        choices += [_ticks(low, high, steps) for steps in _STEPS]
        # Less than a decade is nearly linear.
        linear = (float(tick) for tick in MaxNLocator(5).tick_values(low, high))
        choices.append([tick for tick in linear if low <= tick <= high])
        fitting = [ticks for ticks in choices if self._has_room(ticks, decades)]
        for ticks in fitting:
            if len(ticks) >= _ENOUGH:
                return ticks
        return max(fitting, key=len, default=[])

    def _has_room(self, ticks: Sequence[float], decades: float) -> bool:
        if len(ticks) < 2:
            return True
        axis = self.axis
        assert isinstance(axis, Axis)
        box = axis.axes.get_window_extent()
        label = float(axis.get_major_ticks(1)[0].label1.get_fontsize())
        across = axis is axis.axes.xaxis
        length = (box.width if across else box.height) * 72 / axis.axes.figure.dpi
        letters = max(len(format_plain(tick)) for tick in ticks)
        needed = label * (_LETTER * letters + 0.6) if across else 1.3 * label
        gaps = (math.log10(b / a) for a, b in itertools.pairwise(ticks))
        return min(gaps) / decades * length >= needed


def _ticks(low: float, high: float, steps: Iterable[float], every: int = 1) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = (step * 10.0**power for power in powers if power % every == 0 for step in steps)
    return [value for value in values if low <= value <= high]


def guest_memory_axis(axes: Axes, sizes: Iterable[int]) -> None:
    """Make the x axis one of guest memory, logarithmic, with ticks at ``sizes`` in bytes."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(sizes))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_size))
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlabel("guest memory")


def _size(value: float, _: int | None) -> str:
    return re.sub(r"(?=[KMGT]iB)", " ", format_size(round(value)))


def name_places(axes: Axes, names: Sequence[str], inches: float) -> None:
    """Write ``names`` below the places 0, 1, ... of the x axis, broken into lines if too long.

    Args:
        inches: the width that the axis will have, about.
    """
    room = max(4, int(inches * 72 / max(1, len(names)) / (10 * _LETTER)))
    shown = ["\n".join(_break(name, room)) for name in names]
    axes.set_xticks(range(len(names)), shown)
    axes.set_xlim(-0.6, len(names) - 0.4)


def _break(name: str, width: int) -> list[str]:
    """Break after hyphens and underscores, and anywhere if that is not enough."""
    loose = name.replace("_", "_\u200b").replace("-", "-\u200b").split("\u200b")
    lines = [""]
    for part in loose:
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return [piece for line in lines for piece in textwrap.wrap(line, width)]
