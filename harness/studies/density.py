"""When does checking several pages at once pay? Speedup over dirty density and run length."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from harness.measurement.choice import choose, recommended_variants
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces, random_trace
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import find_toolchains
from harness.presentation.frames import Place, make_pairs, move_apart, of_first_toolchain
from harness.presentation.style import BLACK, ORIGIN_MARKERS, add_legend, house_style, key, mark
from harness.presentation.table import INTERVAL, Column, Row, format_short, make_table
from harness.results.speedups import named_apart
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Outcome, Study, measured_once, reach_of
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.profile import profile_trace
from workloads.random_runs import RandomRuns, is_possible
from workloads.trace import open_trace

QUESTION = Question(
    "When does checking several pages at once pay?",
    place=20,
    budget=120.0,
    sizes="default: 512MiB",
)
DENSITIES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
RUNS = (1, 2, 4, 8, 16, 64, 256, 1024, 4096)
SNAPSHOTS = 8
VARIANTS = ("multi_page", "word_test", "bitmap_find_next")


def grid() -> list[RandomRuns]:
    """Return the maps of the study; none and all dirty once each."""
    cells = []
    for density in DENSITIES:
        runs = (1,) if density in (0, 1) else RUNS
        cells += [RandomRuns(density, run) for run in runs if is_possible(density, run)]
    return cells


def request(options: Options) -> Request:
    """Ask for the maps of the study, at 512 MiB or the one size that was asked for."""
    memory = GuestMemory(options.sizes[0]) if options.sizes else GuestMemory()
    conditions = [find_condition(name) for name in DEFAULT_CONDITIONS]
    traces = (
        *condition_traces(conditions, ("synthetic", "captured"), memory, seed=options.seed),
        *(random_trace(memory, cell, SNAPSHOTS, options.seed) for cell in grid()),
    )
    names = options.variants or (*VARIANTS, recommended_variants(DEFAULT_OPERATION)[0])
    lineup = line_up(choose(names), find_toolchains(options.toolchains))
    return Request(lineup, traces, options.precision, options.seed)


def table(rows: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return a row for each map and variant, and for each of the conditions' traces and variant.

    ``density`` and ``mean_run`` are means over the snapshots; the maps also have those that were
    ``asked`` for, and the traces a ``trace``, which is the condition and the origin.
    """
    rows = named_apart(rows)
    parts = []
    for path in sorted((results / "traces").glob("*.trace")):
        trace = open_trace(path)
        source, profile = trace.source, profile_trace(trace)
        name = source.condition or source.name
        chosen = rows[(rows["condition"] == name) & (rows["origin"] == source.origin)]
        chosen = chosen[~chosen["noise_floor"]]
        asked = {} if source.condition else source.parameters
        parts.append(
            pd.DataFrame(
                {
                    "asked_density": asked["density"]["value"] if asked else np.nan,
                    "asked_mean_run": asked["mean_run"]["value"] if asked else np.nan,
                    "trace": f"{name} {source.origin}" if source.condition else "",
                    "density": profile.dirty.mean() / source.memory.pages,
                    "mean_run": profile.mean_run,
                    "variant": chosen["variant"],
                    "toolchain": chosen["original_toolchain"],
                    "speedup": chosen["speedup"],
                    "speedup_low": chosen["speedup_low"],
                    "speedup_high": chosen["speedup_high"],
                    "original_seconds": chosen["original_seconds"],
                    "variant_seconds": chosen["variant_seconds"],
                }
            )
        )
    order = ["asked_density", "asked_mean_run"]
    return pd.concat(parts).sort_values(order, kind="stable", ignore_index=True)


def _by_variant(found: pd.DataFrame) -> list[Row]:
    """Return for each variant its range over the maps, and on how many it is slower."""
    rows: list[Row] = []
    for variant, group in found[_of_maps(found)].groupby("variant", sort=False):
        ordered = group.sort_values("speedup").to_dict("records")
        slower = int((group["speedup_high"] < 1).sum())
        rows.append({"variant": variant, "maps": len(group), "slower": slower,
                     "low": ordered[0], "high": ordered[-1]})  # fmt: skip
    return rows


def _of_maps(found: pd.DataFrame) -> "pd.Series[bool]":
    return found["trace"].isin(["", np.nan])


def _speedup(end: str, head: str) -> Column:
    return Column(head, lambda row: format_short(row[end]["speedup"]), right=True)


def _place(end: str) -> Column:
    def at(row: Row) -> str:
        return f"{row[end]['asked_density']:g}, {row[end]['asked_mean_run']:g}"

    return Column("at density, run", at, right=True)


def _outcome(rows: pd.DataFrame) -> str:
    rows = rows[_of_maps(rows)]
    slower = (rows["speedup_high"] < 1).sum()
    return f"{reach_of(rows['speedup'])}, slower on {slower} of {len(rows)} maps"


_SUMMARY = (
    Column("variant", whole=True),
    _speedup("low", "lowest"),
    _place("low"),
    _speedup("high", "highest"),
    _place("high"),
    Column("slower on", lambda row: f"{row['slower']} of {row['maps']} maps", right=True),
)
_FIGURES = (
    Column("variant"),
    Column("maps", right=True),
    Column("slower than the original on", "slower", right=True),
    _speedup("low", "lowest speedup"),
    _speedup("high", "highest"),
)

_APART = 0.5
"""Cells that must lie between the middles of two marks."""


@house_style()
def draw_density(found: pd.DataFrame) -> Figure:
    """Draw a panel for each variant (of the first toolchain) and mark the conditions' traces."""
    found = of_first_toolchain(found)
    traces = found[~_of_maps(found)].drop_duplicates("trace")
    found = found[_of_maps(found)]
    variants = list(dict.fromkeys(found["variant"]))
    figure, panels = make_pairs(len(variants), (5.6, 4.0), (1, 0.4))
    norm = TwoSlopeNorm(0, vmin=-3, vmax=6)
    true = _places(found, traces)
    places = move_apart(true, _APART)
    for axes, variant in zip(panels, variants, strict=True):
        image = _draw_panel(axes, found[found["variant"] == variant], norm, places)
        _draw_marks(axes, traces, true, places)
        axes.set_title(str(variant))
    bar = figure.colorbar(image, ax=figure.axes, aspect=35, pad=0.02, extend="both")
    bar.set_ticks(range(-3, 7), labels=[f"{2.0**power:g}" for power in range(-3, 7)])
    bar.set_label("speedup (original time / variant time)")
    bar.outline.set_visible(False)
    handles = [
        key(f"{origin} trace of Cond1 to Cond4", marker=ORIGIN_MARKERS[origin], color="white",
            markeredgecolor=BLACK, linestyle="none", markersize=10)
        for origin in ("synthetic", "captured")
    ]  # fmt: skip
    add_legend(figure, handles, 2)
    return figure


def _places(rows: pd.DataFrame, traces: pd.DataFrame) -> list[Place]:
    """Return where in the cells each trace lies, (column, line), by its density and run length."""
    densities, runs = _axis(rows, "asked_density"), _axis(rows, "asked_mean_run")
    return [
        (
            float(np.interp(trace["density"], densities, range(len(densities)))),
            float(np.interp(np.log(max(trace["mean_run"], 1)), np.log(runs), range(len(runs)))),
        )
        for trace in traces.to_dict("records")
    ]


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, norm: TwoSlopeNorm, marks: list[Place]
) -> AxesImage:
    densities, runs = _axis(rows, "asked_density"), _axis(rows, "asked_mean_run")
    cells = np.full((len(runs), len(densities)), np.nan)
    shown = np.zeros(cells.shape, int)
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
        column = int(np.searchsorted(densities, row["asked_density"]))
        line = int(np.searchsorted(runs, row["asked_mean_run"]))
        where = slice(None) if row["asked_density"] in (0, 1) else line
        cells[where, column] = row["speedup"]
        shown[where, column] = index
    image = axes.imshow(
        np.log2(cells), origin="lower", aspect="auto", cmap="RdBu", norm=norm, alpha=0.85
    )
    for (line, column), speedup in np.ndenumerate(cells):
        alone = densities[column] in (0, 1)
        covered = any(abs(x - column) < 0.6 and abs(y - line) < 0.5 for x, y in marks)
        if np.isfinite(speedup) and not covered and (not alone or line == len(runs) // 2):
            dark = abs(norm(np.log2(speedup)) - 0.5) > 0.38
            written = axes.text(
                column, line, format_short(speedup), ha="center", va="center", fontsize=7,
                color="white" if dark else BLACK,
            )  # fmt: skip
            mark(written, [int(shown[line, column])])
    axes.set_xticks(range(len(densities)), [f"{density:.4g}" for density in 100 * densities])
    axes.set_yticks(range(len(runs)), [f"{run:,.0f}" for run in runs])
    axes.set_xlabel("dirty pages (%)")
    axes.set_ylabel("mean run of dirty pages (pages)")
    axes.grid(visible=False)
    return image


def _draw_marks(axes: Axes, traces: pd.DataFrame, true: list[Place], places: list[Place]) -> None:
    """Mark traces by the number of their condition, with a line to the place if it had to move."""
    for trace, (x0, y0), (x, y) in zip(traces.to_dict("records"), true, places, strict=True):
        name, origin = trace["trace"].split()
        axes.plot([x0, x], [y0, y], color=BLACK, linewidth=0.8, zorder=3)
        axes.plot(x0, y0, marker=".", color=BLACK, markersize=3, zorder=3)
        axes.plot(
            x, y, marker=ORIGIN_MARKERS[origin], color="white", markeredgecolor=BLACK,
            markersize=11, zorder=4,
        )  # fmt: skip
        axes.text(
            x, y, name.removeprefix("cond"), ha="center", va="center_baseline", fontsize=7.5,
            fontweight="bold", color=BLACK, zorder=5,
        )  # fmt: skip


def _axis(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.unique(rows[column].to_numpy(dtype=np.float64))


STUDY = Study(
    measure=measured_once(request, table),
    summary=lambda found: make_table(_SUMMARY, _by_variant(found), QUESTION.text),
    exhibit=Exhibit(
        title="When checking several pages at once pays",
        said="Speedup over the share of dirty pages and the mean length of their runs; blue is "
        "faster than the original, red slower. The numbered marks are where the conditions' traces "
        "lie.",
        draw=draw_density,
        shown=("variant", "asked_density", "asked_mean_run", *INTERVAL),
        figures=lambda found: make_table(_FIGURES, _by_variant(found)),
    ),
    document=None,
    outcome=Outcome(("variant", "toolchain"), _outcome),
)
