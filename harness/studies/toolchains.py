"""How do the letter's ratios depend on the compiler?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces
from harness.native.toolchain import COMPILERS, PROFILES, find_toolchain, find_toolchains
from harness.presentation.figures.toolchains import draw_toolchains
from harness.presentation.table import format_short
from harness.studies.study import Options, Study
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.errors import BadInput

VARIANTS = ("multi_page", "word_test", "word_sum")


def available_toolchains() -> tuple[str, ...]:
    """Return every toolchain whose compiler is here, ``cc`` only if it is all there is."""
    found = []
    for compiler in COMPILERS[1:]:
        for profile in PROFILES:
            try:
                found.append(find_toolchain(f"{compiler}-{profile}").name)
            except BadInput:
                continue
    return tuple(found) or tuple(f"{COMPILERS[0]}-{profile}" for profile in PROFILES)


def request(options: Options) -> Request:
    """Ask for the letter's conditions with every toolchain."""
    conditions = [find_condition(name) for name in DEFAULT_CONDITIONS]
    toolchains = find_toolchains(options.toolchains or available_toolchains())
    lineup = line_up(choose(options.variants or VARIANTS), toolchains)
    traces = condition_traces(conditions, seed=options.seed)
    return Request(lineup, traces, options.precision, options.seed)


def table(rows: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return a row for each trace, toolchain and variant.

    ``original_against_first`` is the first toolchain's original time / this one's: above 1 the
    compiler alone makes the original faster.
    """
    rows = rows[~rows["noise_floor"]]
    first = rows["original_toolchain"].iloc[0]
    keys = ["condition", "origin"]
    base = rows[rows["original_toolchain"] == first].drop_duplicates(keys).set_index(keys)
    seconds = base["original_seconds"].reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    kept = [
        "condition", "origin", "toolchain", "variant", "speedup", "speedup_low", "speedup_high",
        "claim_low", "claim_high", "verdict", "original_seconds", "variant_seconds",
    ]  # fmt: skip
    found = rows[kept].reset_index(drop=True)
    found["original_against_first"] = np.asarray(seconds) / found["original_seconds"]
    return found


def draw(found: pd.DataFrame) -> Figure:
    """Draw the claimed variant's ratios."""
    return draw_toolchains(found)


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return the claimed variant's speedups by toolchain, and how fast each original is."""
    claimed = found.dropna(subset=["claim_low"])
    shown = claimed if len(claimed) else found[found["variant"] == found["variant"].iloc[0]]
    traces = list(dict.fromkeys(zip(shown["condition"], shown["origin"], strict=True)))
    heads = [f"{condition}\n{origin[:3]}" for condition, origin in traces]
    lines = [(f"{shown['variant'].iloc[0]} with", *heads, "original\nfaster by")]
    for toolchain, group in shown.groupby("toolchain", sort=False):
        values = {(r["condition"], r["origin"]): r["speedup"] for r in group.to_dict("records")}
        cells = [format_short(values[trace]) for trace in traces]
        against = np.exp(np.log(group["original_against_first"]).mean())
        lines.append((str(toolchain), *cells, f"{against:.2f}"))
    return lines


STUDY = Study(request, table, draw, summarize)
