"""A line for each variant, and on it a dot for each trace."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.native.dirty_map import ARRAYS
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORIGIN_MARKERS,
    PURPLE,
    VERMILLION,
    add_legend,
    key,
    mark,
)

_CONDITIONS = (BLUE, VERMILLION, GREEN, PURPLE, "#7F4F24", GREY)


class Dots:
    """A line for each variant, by representation, and on it a dot for each trace."""

    def __init__(self, rows: pd.DataFrame, rank: str, fastest_first: bool = True) -> None:
        self._conditions = list(dict.fromkeys(rows["condition"]))
        self._origins = list(dict.fromkeys(rows["origin"]))
        medians = rows.groupby(["map", "variant"])[rank].median()
        known, sign = list(ARRAYS), 1 if fastest_first else -1
        pairs = sorted(medians.index, key=lambda p: (known.index(p[0]), sign * medians[p]))
        self.order = [(str(kind), str(variant)) for kind, variant in reversed(pairs)]
        """(representation, variant) from the bottom line up."""

    def draw(self, axes: Axes, rows: pd.DataFrame, value: str, log: bool) -> None:
        """Draw the dots of ``rows`` at their ``value``."""
        lines = {variant: line for line, (_, variant) in enumerate(self.order)}
        for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
            number = self._conditions.index(row["condition"])
            shift = (number - (len(self._conditions) - 1) / 2) * 0.16
            (drawn,) = axes.plot(
                row[value], lines[row["variant"]] - shift, linestyle="none", markersize=4.2,
                marker=ORIGIN_MARKERS[row["origin"]], color=_CONDITIONS[number % len(_CONDITIONS)],
                markeredgewidth=0,
            )  # fmt: skip
            mark(drawn, [index])
        if log:
            plain_log_axis(axes.xaxis)
        for line in range(1, len(self.order)):
            if self.order[line][0] != self.order[line - 1][0]:
                axes.axhline(line - 0.5, color=GREY, linewidth=0.7)
        axes.set_ylim(-0.7, len(self.order) - 0.3)

    def name_lines(self, axes: Axes) -> None:
        """Write the variants' names beside ``axes``, the representation with the first of each."""
        names = []
        for line, (kind, variant) in enumerate(self.order):
            first = line == len(self.order) - 1 or self.order[line + 1][0] != kind
            names.append(f"{kind}:  {variant}" if first else variant)
        axes.set_yticks(range(len(self.order)), names)

    def add_legend(self, figure: Figure) -> None:
        """Say what colours and markers mean."""
        handles = [
            key(condition.capitalize(), color=_CONDITIONS[number % len(_CONDITIONS)], marker="o",
                linestyle="none")
            for number, condition in enumerate(self._conditions)
        ]  # fmt: skip
        handles += [
            key(f"{origin} trace", color=BLACK, marker=ORIGIN_MARKERS[origin], linestyle="none",
                markersize=4.5)
            for origin in self._origins
        ]  # fmt: skip
        add_legend(figure, handles, 6)
