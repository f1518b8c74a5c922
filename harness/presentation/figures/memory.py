"""A trace as a picture of guest memory over time: address against time, dirty in colour."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from harness.presentation.figures.style import BLUE, house_style
from harness.statistics.spacing import evenly_spaced
from workloads.trace import Trace

_ROWS, _COLUMNS = 256, 400
_COLOURS = LinearSegmentedColormap.from_list("dirty", ["#F4F4F4", "#9CC9E3", BLUE, "#002B45"])


def draw_memory(traces: Sequence[Trace], titles: Sequence[str]) -> Figure:
    """Draw ``traces``, two beside each other."""
    with house_style():
        columns = min(2, len(traces))
        rows = -(-len(traces) // columns)
        figure = Figure(figsize=(5.2 * columns + 0.8, 2.9 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        image = None
        for axes, trace, title in zip(grid.flat, traces, titles, strict=False):
            image = _draw(axes, trace, title)
        for axes in grid.flat[len(traces) :]:
            axes.set_visible(False)
        assert image is not None
        bar = figure.colorbar(image, ax=grid, shrink=min(1.0, 1.4 / rows), aspect=25, pad=0.02)
        bar.set_label("share of pages that are dirty")
        bar.outline.set_visible(False)
        return figure


def _draw(axes: Axes, trace: Trace, title: str) -> AxesImage:
    memory = trace.source.memory
    unit, scale = ("GiB", 2**30) if memory.size >= 2**33 else ("MiB", 2**20)
    image = axes.imshow(
        dirty_shares(trace, _ROWS, _COLUMNS),
        origin="lower",
        aspect="auto",
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(0, trace.ticks_ms[-1] / 1000, 0, memory.size / scale),
    )
    axes.grid(visible=False)
    axes.set_title(title)
    axes.set_xlabel("time since the migration began (s)")
    axes.set_ylabel(f"guest memory ({unit})")
    return image


def dirty_shares(trace: Trace, rows: int, columns: int) -> NDArray[np.float64]:
    """Return the share of dirty pages in cells of memory (rows) and time (columns).

    Time is taken at evenly spaced snapshots, so a long trace is read and not summed up.
    """
    pages = trace.source.memory.pages
    rows, columns = min(rows, pages), min(columns, len(trace))
    chosen = evenly_spaced(len(trace), columns)
    edges = np.linspace(0, pages, rows + 1).astype(np.int64)
    shares = np.empty((rows, columns))
    for column, bitmap in enumerate(trace.bitmaps(chosen)):
        dirty = np.unpackbits(bitmap, count=pages, bitorder="little")
        sums = np.add.reduceat(dirty, edges[:-1], dtype=np.int64)
        shares[:, column] = sums / np.diff(edges)
    return shares
