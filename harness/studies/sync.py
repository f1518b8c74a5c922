"""Which way of asking the kernel what a guest has written is cheapest?"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.base.units import format_size
from harness.kernel.cases import to_words
from harness.kernel.guest import PAGE_SIZE, Words
from harness.kernel.measurement import Replays, Wanted
from harness.kernel.measurement import measure as measure_guests
from harness.kernel.method import ORIGINAL, find_methods
from harness.machine.state import Watch
from harness.measurement.tell import Tell
from harness.native.toolchain import default_toolchain
from harness.presentation.frames import make_panels
from harness.presentation.progress import ProgressDisplay
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    add_legend,
    house_style,
    key,
    mark,
    note,
)
from harness.presentation.table import Table, format_short, make_table, plain_columns, table_by_name
from harness.results.environment import describe_environment
from harness.session.session import Session
from harness.statistics.interval import Interval
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Study, on_host, where_measured
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, draw_map, random_pages

QUESTION = Question(
    "Which way of asking the kernel what a guest has written is cheapest?",
    place=43,
    options=("variant", "precision", "budget", "plots", "seed"),
    budget=60.0,
    budget_for="the syncs of each size, and the starts",
    sizes="default: 512MiB; may be given several times",
    variants="get, clear, clear_chunks, initially_set, ring or scan; default: all",
)
MAPS = {
    "0.1% random": random_pages(0.001),
    "1% random": random_pages(0.01),
    "10% random": random_pages(0.1),
    "10% in runs of ~64": RandomRuns(0.1, 64),
}
"""What the guest writes between two syncs."""
FEW = 100
"""Pages that a large guest writes at the least, where there is more to walk over than to report."""
_LARGE = 2**30
STARTS = 6
"""Processes that start the tracking of a guest all of whose memory is there."""
_COLOURS = (BLUE, GREEN, VERMILLION, ORANGE)
_MARKERS = ("o", "^", "s", "D")


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Measure every way of asking, in guests of every size that is wanted.

    Raises:
        BadInput: no way can be asked here.
    """
    watch = Watch()
    rows: list[dict[str, object]] = []
    sizes = sorted(int(size) for size in options.sizes) or [GuestMemory().size]
    with ProgressDisplay(session.log) as tell:
        starts = _measure_starts(min(sizes[0], _LARGE // 2), options, session, tell)
        for size in sizes:
            memory = GuestMemory(size, PAGE_SIZE)
            named = maps_of(memory)
            drawn = [to_words(draw_map(memory, runs, options.seed)) for runs in named.values()]
            wanted = Wanted(
                starts.methods, memory.pages, np.stack(drawn), options.seed, options.precision,
                session.budget.seconds,
            )  # fmt: skip
            found = measure_guests(wanted, tell)
            rows += _rows(memory, dict(zip(named, drawn, strict=True)), found, starts)
    for sentence in dict.fromkeys((*starts.left_out, *found.left_out)):
        session.leave_out(sentence)
    layout = {"left_out": session.left_out}
    environment = describe_environment([default_toolchain()], layout, watch.stop())
    session.describe(environment)
    return on_host(pd.DataFrame(rows))


def _measure_starts(size: int, options: Options, session: Session, tell: Tell) -> Replays:
    """Measure what starting takes a guest all of whose memory is there, which one may not fit."""
    memory = GuestMemory(size, PAGE_SIZE)
    nothing = np.zeros((1, -(-memory.pages // 64)), np.uint64)
    return measure_guests(
        Wanted(
            find_methods(options.variants), memory.pages, nothing, options.seed, np.inf,
            session.budget.seconds, rounds=1, processes=STARTS, populate=True,
        ),
        tell,
    )  # fmt: skip


def maps_of(memory: GuestMemory) -> Mapping[str, RandomRuns]:
    """Return what a guest writes: of a large one no more than it could in a tick."""
    if memory.size <= _LARGE:
        return MAPS
    possible = {name: runs for name, runs in MAPS.items() if runs.density <= 0.01}
    return {f"~{FEW} pages": random_pages(FEW / memory.pages), **possible}


def _rows(
    memory: GuestMemory, maps: Mapping[str, Words], found: Replays, starts: Replays
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    gib = starts.processes[0].prepared * PAGE_SIZE / 2**30
    for place, method in enumerate(found.methods):
        once = starts.methods.index(method)
        for number, (name, map_) in enumerate(maps.items()):
            pages = int(np.bitwise_count(map_).sum(dtype=np.int64))
            syncs = found.typical("sync", place, [number])
            speedup, tax = found.speedup(place, [number]), found.tax(place, [number])
            rows.append(
                {
                    "variant": method.name,
                    "map": name,
                    "guest_memory_bytes": memory.size,
                    "dirty_pages": pages,
                    **_interval("seconds", syncs),
                    "nanoseconds_a_page": 1e9 * syncs.value / pages,
                    "original": found.methods[0].name,
                    **_interval("speedup", speedup),
                    "guest_nanoseconds_a_page": 1e9 * tax.value / pages,
                    "first_nanoseconds_a_page": 1e9 * starts.a_page("first", once),
                    "touching_nanoseconds_a_page": 1e9 * starts.a_page("touching", once),
                    "start_seconds_a_gib": starts.seconds("start", once).value / gib,
                    "stop_seconds_a_gib": starts.seconds("stop", once).value / gib,
                    "processes": len(found.processes),
                }
            )
    return rows


def _interval(name: str, value: Interval) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _summary(found: pd.DataFrame) -> Table:
    """Return the microseconds of a sync on every map of the smallest guest, and of the start."""
    shown = found[found["guest_memory_bytes"] == found["guest_memory_bytes"].min()]
    maps = list(dict.fromkeys(shown["map"]))
    heads = [name.replace(" ", "\n", 1) + "\nµs" for name in maps]
    lines = []
    for variant, group in shown.groupby("variant", sort=False):
        rows = group.set_index("map")
        cells = [format_short(1e6 * rows.loc[name, "seconds"]) for name in maps]
        start = format_short(1e3 * group["start_seconds_a_gib"].iloc[0])
        pays = f"{group['guest_nanoseconds_a_page'].median():.0f}"
        lines.append((str(variant), *cells, start, pays))
    heads = ["ask by", *heads, "start\nms a GiB", "guest pays\nns a page"]
    table = table_by_name(QUESTION.text, heads, lines)
    return dataclasses.replace(table, notes=(where_measured(found),))


_FIGURES = plain_columns(
    *("variant", "map", ("dirty pages", "dirty_pages"), "seconds", "speedup"),
    *(("ns a page", "nanoseconds_a_page"), ("guest, ns a page", "guest_nanoseconds_a_page")),
    *(("start, s a GiB", "start_seconds_a_gib"), "host"),
)


@house_style()
def draw_sync(found: pd.DataFrame) -> Figure:
    """Draw the time of a sync of the smallest guest by method and map, and below it the start."""
    size = int(found["guest_memory_bytes"].min())
    found = found[found["guest_memory_bytes"] == size]
    methods = list(dict.fromkeys(found["variant"]))
    figure, (syncs, starts) = make_panels(
        5.6, 0.62 * len(methods) + 3.0, 2, 1, height_ratios=(1.6, 1)
    )
    maps = list(dict.fromkeys(found["map"]))
    for number, name in enumerate(maps):
        rows = found[found["map"] == name]
        shift = (number - (len(maps) - 1) / 2) * 0.17
        places = [-methods.index(variant) - shift for variant in rows["variant"]]
        reach = [1e6 * (rows["seconds"] - rows["seconds_low"]),
                 1e6 * (rows["seconds_high"] - rows["seconds"])]  # fmt: skip
        drawn = syncs.errorbar(
            1e6 * rows["seconds"], places, xerr=reach, linestyle="none", capsize=2,
            color=_COLOURS[number % len(_COLOURS)], marker=_MARKERS[number % len(_MARKERS)],
            markersize=5,
        )  # fmt: skip
        mark(drawn.lines[0], rows.index)
    rows = found.drop_duplicates("variant")
    places = [-methods.index(variant) for variant in rows["variant"]]
    (dots,) = starts.plot(
        1e3 * rows["start_seconds_a_gib"], places, linestyle="none", marker="o", color=GREY
    )
    mark(dots, rows.index)
    # What differs by less than twice is not to look as if it were far apart.
    low, high = starts.get_xlim()
    if high < 2 * low:
        starts.set_xlim(low / 2, high * 2)
    for axes, title, label in (
        (syncs, f"One sync, a guest of {format_size(size)}", "time (µs)"),
        (starts, "To start with", "time (ms a GiB)"),
    ):
        _name(axes, methods)
        axes.set_title(title, pad=16)
        axes.set_xlabel(label)
    note(syncs, _short_host(found))
    note(starts, "of memory that is all there")
    handles = [
        key(name, color=_COLOURS[i % 4], marker=_MARKERS[i % 4], linestyle="none")
        for i, name in enumerate(maps)
    ]
    add_legend(figure, handles, 2)
    return figure


def _short_host(found: pd.DataFrame) -> str:
    return str(found["host"].iloc[0]).partition(", Linux")[0]


def _name(axes: Axes, methods: list[str]) -> None:
    axes.set_yticks([-place for place in range(len(methods))], methods)
    axes.set_ylim(-len(methods) + 0.4, 0.6)
    plain_log_axis(axes.xaxis)
    axes.margins(x=0.1)


STUDY = Study(
    measure=measure,
    summary=_summary,
    exhibit=Exhibit(
        title="Asking the kernel what was written",
        said="A guest of our own writes a map, and the kernel is asked for it in each of its ways; "
        f"{ORIGINAL.name} is what the others are compared with. What it takes depends on the "
        "host's virtualization, which stands above the picture.",
        draw=draw_sync,
        shown=("variant", "map", "dirty_pages", "seconds", "speedup", "nanoseconds_a_page"),
        figures=lambda found: make_table(_FIGURES, found.head(60)),
    ),
    document=None,
    outcome=None,
)
