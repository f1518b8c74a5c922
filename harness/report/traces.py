"""A trace as a picture of guest memory over time: address against time, dirty in colour."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from harness.presentation.frames import make_pairs
from harness.presentation.style import BLUE, house_style
from harness.presentation.table import Table, make_table, plain_columns
from harness.report.section import Section
from harness.report.stored import Stored
from harness.statistics.spacing import evenly_spaced
from workloads.conditions import CONDITIONS
from workloads.profile import profile_trace
from workloads.trace import Trace

_ROWS, _COLUMNS = 256, 400
_COLOURS = LinearSegmentedColormap.from_list("dirty", ["#F4F4F4", "#9CC9E3", BLUE, "#002B45"])


@house_style()
def draw_memory(traces: Sequence[Trace]) -> Figure:
    """Draw ``traces``, two beside each other."""
    figure, panels = make_pairs(len(traces), (5.2, 2.9), (0.8, 0))
    for axes, trace in zip(panels, traces, strict=True):
        image = _draw(axes, trace)
    lines = -(-len(traces) // 2)
    bar = figure.colorbar(image, ax=figure.axes, shrink=min(1.0, 1.4 / lines), aspect=25, pad=0.02)
    bar.set_label("share of pages that are dirty")
    bar.outline.set_visible(False)
    return figure


def _draw(axes: Axes, trace: Trace) -> AxesImage:
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
    condition = CONDITIONS.get(trace.source.condition or "")
    axes.set_title(f"{condition.title if condition else trace.source.name} ({trace.source.origin})")
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


def profile_rows(result: Stored) -> pd.DataFrame | None:
    """Return a row for each trace of ``result``; None if it has none."""
    rows = []
    for trace in result.traces:
        profile = profile_trace(trace)
        rows.append(
            {
                "condition": trace.source.condition or trace.source.name,
                "origin": trace.source.origin,
                "snapshots": len(trace),
                "seconds": trace.ticks_ms[-1] / 1000,
                "most_dirty_pages": int(profile.dirty.max()),
                "mean_dirty_pages": float(profile.dirty.mean()),
                "mean_run": profile.mean_run,
            }
        )
    return pd.DataFrame(rows) if rows else None


_FIGURES = plain_columns(
    *("condition", "origin", "snapshots", "seconds", ("most dirty pages", "most_dirty_pages")),
    *(("dirty pages, mean", "mean_dirty_pages"), ("pages in a run, mean", "mean_run")),
)


def profile_table(rows: pd.DataFrame) -> Table:
    """Return what profiles say of their traces."""
    return make_table(_FIGURES, rows.head(40))


SECTION = Section(
    key="traces",
    title="The traces: guest memory over time",
    said="Guest memory from its first page (bottom) to its last, over the time of the migration; "
    "coloured is dirty. A migration begins with every page dirty and then sends what the guest "
    "makes dirty again.",
    command="dirtyscan trace plot TRACE",
    rows=profile_rows,
    draw=lambda result, _: draw_memory(result.traces),
    shown=("condition", "origin"),
    figures=profile_table,
    whole=lambda result: draw_memory(result.traces) if result.traces else None,
    of_traces=True,
)
