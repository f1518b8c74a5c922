"""How long does a count take in guests of up to terabytes, and what share of a tick is that?"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.choice import choose, recommended_variants
from harness.measurement.lineup import line_up
from harness.measurement.request import Draft, Request, random_trace
from harness.native.dirty_map import map_bytes
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import find_toolchains
from harness.presentation.frames import make_panels, of_first_toolchain
from harness.presentation.scale import guest_memory_axis, plain_log_axis
from harness.presentation.style import BLACK, GREY, add_legend, house_style, mark, variant_colour
from harness.presentation.table import (
    INTERVAL,
    Table,
    format_short,
    make_table,
    plain_columns,
    table_by_name,
)
from harness.results.limits import find_limits
from harness.results.speedups import named_apart
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Outcome, Study, measured_once, with_originals
from workloads.guest import DEFAULT_PAGE_SIZE, GuestMemory
from workloads.random_runs import RandomRuns
from workloads.synthesis import check_fits

QUESTION = Question(
    "How long does a count take in guests of up to terabytes?",
    place=30,
    budget=300.0,
    sizes="may be given several times",
)
TICK_SECONDS = 0.1
SHARES = (0.01, 0.1, 1.0)
SIZES = tuple(size * 2**30 for size in (0.5, 4, 32, 256, 1024, 4096))
# Ten percent dirty in runs of 64 pages: between the letter's extremes, see the study of density.
RUNS = RandomRuns(0.1, 64)
SNAPSHOTS = 2
VARIANTS = ("multi_page", "word_sum", "bitmap_popcount", "two_level")
TIMED = ("variant", "map", "toolchain", "seconds")
BOUNDS = ("read_limit", "bitmap_read_limit")
_BYTES_PER_PAGE = 4  # the map, the one it is tried on, one being drawn, and bitmaps
_STYLES = {"byte map": "-", "bitmap": "--", "two-level bitmap": ":"}


def request(options: Options) -> Request:
    """Ask for the maps of the study, one trace a size.

    Raises:
        BadInput: a size does not fit into this machine.
    """
    sizes = [int(size) for size in options.sizes or SIZES]
    memories = [GuestMemory(size, DEFAULT_PAGE_SIZE) for size in sorted(sizes)]
    check_fits(memories[-1])
    chosen = (*VARIANTS, *recommended_variants(DEFAULT_OPERATION))
    names = (*(options.variants or chosen), *BOUNDS)
    return Request(
        line_up(choose(names), find_toolchains(options.toolchains)),
        tuple(trace_of_size(memory, options.seed) for memory in memories),
        options.precision,
        options.seed,
        quick=False,
        rounds=2,
    )


def trace_of_size(memory: GuestMemory, seed: int) -> Draft:
    """Return the trace that stands for guests of that size."""
    return random_trace(memory, RUNS, SNAPSHOTS, seed, str(memory.size))


def table(rows: pd.DataFrame, _: Path) -> pd.DataFrame:
    """Return a row for each size and variant, the original among them."""
    rows = named_apart(rows[~rows["noise_floor"]])
    keys = ["guest_memory_bytes", "original_toolchain"]
    found = with_originals(rows, keys, DEFAULT_OPERATION)
    found = found.sort_values("guest_memory_bytes", kind="stable", ignore_index=True)
    lengths = [
        map_bytes(kind, size // DEFAULT_PAGE_SIZE)
        for kind, size in zip(found["map"], found["guest_memory_bytes"], strict=True)
    ]
    shares = []
    for size, group in found.groupby("guest_memory_bytes"):
        limits = find_limits(group.assign(condition=str(size)))
        of = zip(group["variant"], group["original_toolchain"], strict=True)
        shares += [limits.share(variant, toolchain) for variant, toolchain in of]
    found = timed(found).assign(
        bytes_per_second=np.array(lengths) / found["variant_seconds"], share_of_limit=shares
    )
    shown = ("bytes_per_second", "share_of_limit", "share_of_tick")
    return found[["guest_memory_bytes", *TIMED, *shown, *INTERVAL]]


def timed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``rows`` with the columns ``TIMED`` and the share of a tick that a call takes."""
    return rows.assign(
        toolchain=rows["original_toolchain"],
        seconds=rows["variant_seconds"],
        share_of_tick=rows["variant_seconds"] / TICK_SECONDS,
    )


@dataclasses.dataclass(frozen=True)
class Reach:
    """The guest memory at which a variant takes a share of a tick."""

    bytes: float
    extrapolated: bool
    """Whether it is beyond the sizes that were measured."""


def reach(sizes: Sequence[float], shares: Sequence[float], share: float) -> Reach:
    """Return where ``shares`` over ``sizes`` reach ``share``.

    Between sizes on a straight line in logarithms; beyond the last, and before the first, with the
    time per page that was measured there.
    """
    x, y = np.log(sizes), np.log(shares)
    wanted = np.log(share)
    if wanted > y[-1]:
        return Reach(float(np.exp(x[-1] + wanted - y[-1])), True)
    if wanted < y[0]:
        return Reach(float(np.exp(x[0] + wanted - y[0])), True)
    return Reach(float(np.exp(np.interp(wanted, np.maximum.accumulate(y), x))), False)


def _summary(found: pd.DataFrame) -> Table:
    """Return at which guest memory each variant takes 1 %, 10 % and all of a tick."""
    heads = (
        "variant",
        "largest guest",
        "of limit",
        *(f"{share:.0%} of a tick" for share in SHARES),
    )
    lines = []
    for variant, group in found.groupby("variant", sort=False):
        last = group.iloc[-1]
        of_limit = last["share_of_limit"]
        lines.append(
            (
                str(variant),
                f"{last['seconds'] * 1e3:.3g} ms",
                format_short(of_limit) if of_limit == of_limit else "",
                *(f"{_size(r.bytes)}{' *' if r.extrapolated else ''}" for r in _reaches(group)),
            )
        )
    return table_by_name(QUESTION.text, heads, lines)


def _reaches(rows: pd.DataFrame) -> list[Reach]:
    """Return at which guest memory the variant of ``rows`` takes each of ``SHARES`` of a tick."""
    sizes, shares = rows["guest_memory_bytes"].tolist(), rows["share_of_tick"].tolist()
    return [reach(sizes, shares, share) for share in SHARES]


def _outcome(rows: pd.DataFrame) -> str:
    found = zip(SHARES, _reaches(rows), strict=True)
    return ", ".join(f"{share:.0%} of a tick at {_size(r.bytes)}" for share, r in found)


def _size(size: float) -> str:
    """Write a size in two digits."""
    for unit, scale in (("PiB", 2**50), ("TiB", 2**40), ("GiB", 2**30)):
        if size >= scale:
            number = size / scale
            return f"{number:.2g} {unit}" if number < 100 else f"{number:.0f} {unit}"
    return f"{size / 2**20:.0f} MiB"


_FIGURES = plain_columns(
    *("variant", "map", ("seconds, largest guest", "seconds")),
    *(("of a tick", "share_of_tick"), ("of the limit", "share_of_limit")),
)


def _figures(found: pd.DataFrame) -> Table:
    largest = found["guest_memory_bytes"].max()
    return make_table(_FIGURES, found[found["guest_memory_bytes"] == largest].head(40))


@house_style()
def draw_size(found: pd.DataFrame) -> Figure:
    """Draw two panels: share of a 100 ms tick, and share of reading the map and nothing else."""
    found = of_first_toolchain(found)
    variants = list(dict.fromkeys(found["variant"]))
    figure, (tick, limit) = make_panels(11, 4.8, 1, 2, width_ratios=(1.25, 1))
    for variant, group in found.groupby("variant", sort=False):
        style: dict[str, Any] = {
            "color": variant_colour(str(variant), variants),
            "linestyle": _STYLES.get(group["map"].iloc[0], "-"),
            "marker": "o",
            "markersize": 3.5,
            "linewidth": 1.4,
        }
        sizes = group["guest_memory_bytes"]
        (drawn,) = tick.plot(sizes, 100 * group["share_of_tick"], label=str(variant), **style)
        known = group[group["share_of_limit"].notna()]  # where the limit is one
        if len(known):
            (beside,) = limit.plot(known["guest_memory_bytes"], known["share_of_limit"], **style)
            mark(beside, known.index)
        mark(drawn, group.index)
    guest_memory_axis(tick, found["guest_memory_bytes"])
    plain_log_axis(tick.yaxis)
    for share in (1, 10, 100):
        tick.axhline(share, color=GREY, linewidth=0.8)
    tick.set_ylabel("share of a 100 ms tick (%)")
    tick.set_title("What a count takes")
    guest_memory_axis(limit, found["guest_memory_bytes"])
    limit.axhline(1, color=BLACK, linewidth=1)
    limit.axhline(0.9, color=GREY, linewidth=0.8)
    limit.set_ylim(0, None)
    limit.set_ylabel("speed as a share of reading the map")
    limit.set_title("Against the limit")
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
    add_legend(figure, tick.get_legend_handles_labels()[0], 5, handlelength=3)
    return figure


STUDY = Study(
    measure=measured_once(request, table),
    summary=_summary,
    exhibit=Exhibit(
        title="Guests of up to terabytes",
        said="Left the share of the 100 ms between two ticks that one count takes, right the speed "
        "as a share of reading the map. Where a line crosses 100 % the count is all that a tick "
        "has time for.",
        draw=draw_size,
        shown=("variant", "guest_memory_bytes", "seconds", "share_of_tick", "share_of_limit"),
        figures=_figures,
    ),
    document=None,
    outcome=Outcome(("variant", "toolchain"), _outcome),
)
