"""How do the letter's ratios depend on the compiler?"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.base.errors import BadInput
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces
from harness.native.toolchain import AS_GIVEN, COMPILERS, find_toolchain, find_toolchains
from harness.presentation.frames import draw_claimed, draw_interval, make_panels
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLACK,
    GREY,
    ORIGIN_COLOURS,
    ORIGIN_MARKERS,
    add_legend,
    house_style,
    key,
    letters_range,
)
from harness.presentation.table import (
    INTERVAL,
    Row,
    Table,
    format_short,
    make_table,
    plain_columns,
    table_by_name,
)
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Outcome, Study, measured_once, reach_of
from workloads.conditions import DEFAULT_CONDITIONS, find_condition

QUESTION = Question(
    "How do the letter's ratios depend on the compiler?",
    place=10,
    budget=150.0,
)
STUDIED = ("era", "distro", "native")
"""Profiles that are measured if nobody says which; there is nothing to count in the words of a byte
map, so that "popcnt" would say the same as "distro"."""
VARIANTS = ("multi_page", "word_test", "word_sum")


def available_toolchains() -> tuple[str, ...]:
    """Return every toolchain whose compiler is here, ``cc`` only if it is all there is."""
    found = []
    for compiler in COMPILERS[1:]:
        for profile in STUDIED:
            try:
                found.append(find_toolchain(f"{compiler}-{profile}").name)
            except BadInput:
                continue
    return tuple(found) or tuple(f"{COMPILERS[0]}-{profile}" for profile in STUDIED)


def request(options: Options) -> Request:
    """Ask for the letter's conditions with every toolchain."""
    conditions = [find_condition(name) for name in DEFAULT_CONDITIONS]
    toolchains = find_toolchains(options.toolchains or available_toolchains())
    lineup = line_up(choose(options.variants or VARIANTS), toolchains)
    traces = condition_traces(conditions, ("synthetic", "captured"), seed=options.seed)
    return Request(lineup, traces, options.precision, options.seed)


def table(rows: pd.DataFrame, _: Path) -> pd.DataFrame:
    """Return a row for each trace, toolchain and variant.

    ``toolchain`` is the original's, and with it the variant's where that is another one.
    ``original_against_first`` is the first toolchain's original time / this one's: above 1 the
    compiler alone makes the original faster.
    """
    rows = rows[~rows["noise_floor"]]
    first = rows["original_toolchain"].iloc[0]
    keys = ["condition", "origin"]
    base = rows[rows["original_toolchain"] == first].drop_duplicates(keys).set_index(keys)
    seconds = base["original_seconds"].reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    kept = [
        "condition", "origin", "toolchain", "variant", *INTERVAL,
        "claim_low", "claim_high", "verdict", "original_seconds", "variant_seconds",
    ]  # fmt: skip
    found = rows[kept].reset_index(drop=True)
    found["toolchain"] = [_both_toolchains(row) for row in rows.to_dict("records")]
    found["original_against_first"] = np.asarray(seconds) / found["original_seconds"]
    return found


def _both_toolchains(row: Row) -> str:
    original, own = str(row["original_toolchain"]), str(row["toolchain"])
    return original if own in (original, AS_GIVEN.name) else f"{original}, {own}"


def _of_one_variant(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the claimed variant; without one, of the first."""
    claimed = found.dropna(subset=["claim_low"])
    return claimed if len(claimed) else found[found["variant"] == found["variant"].iloc[0]]


def _summary(found: pd.DataFrame) -> Table:
    """Return the speedups by toolchain, and how fast each original is."""
    shown = _of_one_variant(found)
    traces = list(dict.fromkeys(zip(shown["condition"], shown["origin"], strict=True)))
    heads = [f"{condition}\n{origin[:3]}" for condition, origin in traces]
    lines = []
    for toolchain, group in shown.groupby("toolchain", sort=False):
        values = {(r["condition"], r["origin"]): r["speedup"] for r in group.to_dict("records")}
        cells = [format_short(values[trace]) for trace in traces]
        against = np.exp(np.log(group["original_against_first"]).mean())
        lines.append((str(toolchain), *cells, format_short(against)))
    heads = [f"{shown['variant'].iloc[0]} with", *heads, "original\nfaster by"]
    return table_by_name(QUESTION.text, heads, lines)


_FIGURES = plain_columns("condition", "origin", "toolchain", "variant", "speedup", "verdict")


@house_style()
def draw_toolchains(found: pd.DataFrame) -> Figure:
    """Draw the claimed variant, a panel a condition; without one, the first."""
    found = _of_one_variant(found)
    conditions = list(dict.fromkeys(found["condition"]))
    toolchains = list(dict.fromkeys(found["toolchain"]))[::-1]
    size = (2.6 * len(conditions) + 1.6, 0.34 * len(toolchains) + 1.9)
    figure, panels = make_panels(*size, 1, len(conditions), sharey=True)
    for axes, condition in zip(panels, conditions, strict=True):
        _draw_panel(axes, found[found["condition"] == condition], toolchains)
        axes.set_title(condition.capitalize())
    panels[0].set_yticks(range(len(toolchains)), toolchains)
    for axes in panels:
        axes.set_xlabel(f"speedup of {found['variant'].iloc[0]}")
    handles = [
        key(f"{origin} trace", color=colour, marker=ORIGIN_MARKERS[origin], linestyle="none")
        for origin, colour in ORIGIN_COLOURS.items()
        if (found["origin"] == origin).any()
    ]
    add_legend(figure, [*handles, letters_range()], 3)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, toolchains: list[str]) -> None:
    draw_claimed(axes, rows)
    origins = list(dict.fromkeys(rows["origin"]))
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):
        origin = row["origin"]
        aside = 0.28 * ((len(origins) - 1) / 2 - origins.index(origin)) / max(1, len(origins) - 1)
        draw_interval(axes, row, index, toolchains.index(row["toolchain"]) + aside,
                      color=ORIGIN_COLOURS[origin], marker=ORIGIN_MARKERS[origin], capsize=2,
                      linewidth=1)  # fmt: skip
    plain_log_axis(axes.xaxis)
    axes.axvline(1, color=BLACK, linewidth=1)
    for place in range(1, len(toolchains)):
        if toolchains[place].split("-")[0] != toolchains[place - 1].split("-")[0]:
            axes.axhline(place - 0.5, color=GREY, linewidth=0.6)
    axes.margins(x=0.12)


STUDY = Study(
    measure=measured_once(request, table),
    summary=_summary,
    exhibit=Exhibit(
        title="The compiler decides too",
        said="The same two C files, by compiler and flags. Where a compiler makes more of the "
        "original, the patch gains less, and it may lose everywhere.",
        draw=draw_toolchains,
        shown=("condition", "origin", "variant", "toolchain", *INTERVAL),
        figures=lambda found: make_table(_FIGURES, found.dropna(subset=["claim_low"]).head(100)),
    ),
    document=None,
    outcome=Outcome(("toolchain", "variant"), lambda rows: reach_of(rows["speedup"])),
)
