"""Bars that show what share of a whole each of its parts is, a bar a whole."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes


def draw_shares(axes: Axes, parts: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw a bar for each line of ``parts``, from the top down, in percent of the line's sum.

    Args:
        parts: seconds, a column a part; a part that is missing is left out of its line.
        colours: of the parts, by column.
    """
    total = parts.sum(axis=1)
    left = np.zeros(len(parts))
    places = -np.arange(len(parts))
    for part in parts:
        share = (100 * parts[part] / total).fillna(0).to_numpy()
        axes.barh(places, share, left=left, color=colours[str(part)], height=0.68)
        left += share
    for place, seconds in zip(places, total, strict=True):
        axes.annotate(
            f"{1e3 * seconds:.3g} ms", (100, place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(0, 100)
