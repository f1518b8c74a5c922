"""When does checking several pages at once pay? Speedup over dirty density and run length."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.choice import choose, recommended_variants
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces, random_trace
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import find_toolchains
from harness.presentation.figures.density import draw_density
from harness.presentation.table import format_short
from harness.studies.study import Options, Study
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.profile import profile_trace
from workloads.random_runs import RandomRuns, is_possible
from workloads.trace import open_trace

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
        *condition_traces(conditions, memory=memory, seed=options.seed),
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


def draw(found: pd.DataFrame) -> Figure:
    """Draw the map."""
    return draw_density(found)


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return for each variant its range, and where it is slower than the original."""
    lines = [("variant", "lowest", "at density, run", "highest", "at density, run", "slower on")]
    for variant, group in found[found["trace"] == ""].groupby("variant", sort=False):
        ordered = group.sort_values("speedup").to_dict("records")
        low, high = ordered[0], ordered[-1]
        slower = int((group["speedup_high"] < 1).sum())
        lines.append(
            (
                str(variant),
                format_short(low["speedup"]),
                f"{low['asked_density']:g}, {low['asked_mean_run']:g}",
                format_short(high["speedup"]),
                f"{high['asked_density']:g}, {high['asked_mean_run']:g}",
                f"{slower} of {len(group)} maps",
            )
        )
    return lines


STUDY = Study(request, table, draw, summarize)
