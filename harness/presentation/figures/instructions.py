"""Instructions and mispredicted branches per page, one line a variant."""

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.figures.ladder import Dots
from harness.presentation.figures.style import house_style


def draw_instructions(found: pd.DataFrame) -> Figure:
    """Draw the rows of the first toolchain of one ``instructions.csv``."""
    found = found[found["toolchain"] == found["toolchain"].iloc[0]]
    found = found.assign(mispredicted_per_1000=1000 * found["mispredicted_per_page"])
    dots = Dots(found, "instructions_per_page", fastest_first=False)
    with house_style():
        figure = Figure(figsize=(11, 0.27 * len(dots.order) + 1.9), layout="constrained")
        first, second = figure.subplots(1, 2, sharey=True)
        dots.draw(first, found, "instructions_per_page", log=True)
        first.set_xlabel("instructions a page")
        first.set_title(f"Instructions, {found['toolchain'].iloc[0]}")
        dots.draw(second, found, "mispredicted_per_1000", log=False)
        second.set_xlabel("mispredicted branches per 1000 pages (simulated)")
        second.set_title("Branches that a simple predictor gets wrong")
        dots.name_lines(first)
        dots.add_legend(figure)
        return figure
