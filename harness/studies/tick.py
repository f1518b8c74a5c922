"""What does a design cost over a whole tick: merge, count, find and clear what is sent?"""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.base.units import format_size
from harness.measurement.choice import ALL, choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces
from harness.native.operation import OPERATIONS
from harness.native.toolchain import find_toolchains
from harness.presentation.frames import make_panels, of_first_toolchain
from harness.presentation.scale import guest_memory_axis, name_places, plain_log_axis
from harness.presentation.style import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILLION,
    add_legend,
    house_style,
    mark,
)
from harness.presentation.table import INTERVAL, Table, make_table, plain_columns, table_by_name
from harness.studies import Question
from harness.studies.size import TIMED, timed, trace_of_size
from harness.studies.study import (
    Exhibit,
    Options,
    Outcome,
    Study,
    measured_once,
    reach_of,
    with_originals,
)
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.synthesis import check_fits

QUESTION = Question(
    "What does a design of the dirty map cost over a whole tick?",
    place=40,
    budget=150.0,
    sizes="may be given several times",
)
SIZES = tuple(size * 2**30 for size in (0.5, 8, 128, 1024))
OPERATION = OPERATIONS["tick"]
_COLOURS = (GREY, BLUE, VERMILLION, GREEN, PURPLE)
_MARKERS = ("o", "s", "D", "^", "v")


def request(options: Options) -> Request:
    """Ask for a trace for each size; the captured traces are measured beside them."""
    memories = [GuestMemory(int(size)) for size in options.sizes or SIZES]
    check_fits(max(memories, key=lambda memory: memory.size))
    conditions = [find_condition(name) for name in DEFAULT_CONDITIONS]
    variants = choose(options.variants or (ALL,), OPERATION.name)
    return Request(
        line_up(variants, find_toolchains(options.toolchains)),
        (
            *condition_traces(conditions, ("captured",)),
            *(trace_of_size(memory, options.seed) for memory in memories),
        ),
        options.precision,
        options.seed,
        rounds=2,
    )


def table(rows: pd.DataFrame, _: Path) -> pd.DataFrame:
    """Return a row for each design and each trace or size, the original design among them."""
    rows = rows[~rows["noise_floor"] & ~rows["bound"]]
    keys = ["condition", "guest_memory_bytes", "original_toolchain"]
    found = timed(with_originals(rows, keys, OPERATION.name))
    captured = found["origin"] == "captured"
    found = found.assign(trace=found["condition"].where(captured, ""))
    return found[["trace", "guest_memory_bytes", *TIMED, "share_of_tick", *INTERVAL]]


def _halves(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of captured traces, and of random maps, of the first toolchain."""
    found = of_first_toolchain(found)
    captured = found["trace"].fillna("") != ""
    return found[captured], found[~captured]


def _summary(found: pd.DataFrame) -> Table:
    """Return the microseconds of a tick on each captured trace, and its share in larger guests."""
    captured, random = _halves(found)
    traces = list(dict.fromkeys(captured["trace"]))
    sizes = sorted(set(random["guest_memory_bytes"]))
    heads = [f"{trace}\nµs" for trace in traces] + [f"{format_size(size)}\n%" for size in sizes]
    lines = []
    for variant in dict.fromkeys(of_first_toolchain(found)["variant"]):
        of_traces = captured[captured["variant"] == variant].set_index("trace")["seconds"]
        of_sizes = random[random["variant"] == variant].set_index("guest_memory_bytes")
        lines.append(
            (
                str(variant),
                *(f"{1e6 * of_traces[trace]:.1f}" for trace in traces),
                *(f"{100 * of_sizes['share_of_tick'][size]:.3g}" for size in sizes),
            )
        )
    return table_by_name(QUESTION.text, ("design", *heads), lines)


_FIGURES = plain_columns(
    ("design", "variant"), ("captured trace", "trace"), "speedup", ("of a tick", "share_of_tick")
)


def _outcome(rows: pd.DataFrame) -> str:
    captured, random = _halves(rows)
    largest = random.sort_values("guest_memory_bytes").iloc[-1]
    share, size = largest["share_of_tick"], format_size(largest["guest_memory_bytes"])
    micro = reach_of(1e6 * captured["seconds"])
    return f"{micro} µs on captured traces, {share:.1%} of a tick at {size}"


@house_style()
def draw_tick(found: pd.DataFrame) -> Figure:
    """Draw microseconds on captured traces, and the share of 100 ms over guest memory."""
    captured, random = _halves(found)
    designs = list(dict.fromkeys(of_first_toolchain(found)["variant"]))
    traces = list(dict.fromkeys(captured["trace"]))
    figure, (left, right) = make_panels(11, 4.4, 1, 2)
    for number, design in enumerate(designs):
        style: dict[str, Any] = {"color": _COLOURS[number % len(_COLOURS)],
                 "marker": _MARKERS[number % len(_MARKERS)], "markersize": 5}  # fmt: skip
        shift = (number - (len(designs) - 1) / 2) * 0.15
        rows = captured[captured["variant"] == design]
        places = [traces.index(trace) + shift for trace in rows["trace"]]
        (drawn,) = left.plot(
            places, 1e6 * rows["seconds"], linestyle="none", label=str(design), **style
        )
        mark(drawn, rows.index)
        rows = random[random["variant"] == design].sort_values("guest_memory_bytes")
        (drawn,) = right.plot(rows["guest_memory_bytes"], 100 * rows["share_of_tick"], **style)
        mark(drawn, rows.index)
    left.set_ylim(0, None)
    name_places(left, [trace.capitalize() for trace in traces], 4.4)
    left.set_ylabel("time of one tick (µs)")
    left.set_title("Captured traces, 512 MiB")
    guest_memory_axis(right, random["guest_memory_bytes"])
    plain_log_axis(right.yaxis)
    right.axhline(100, color=GREY, linewidth=0.8)
    right.set_ylabel("share of the 100 ms between ticks (%)")
    right.set_title("A tenth dirty, in runs of 64 pages")
    add_legend(figure, left.get_legend_handles_labels()[0], len(designs))
    return figure


STUDY = Study(
    measure=measured_once(request, table),
    summary=_summary,
    exhibit=Exhibit(
        title="The whole tick",
        said="Merging the log, counting, and clearing what is sent, for each design of the map. A "
        "counter that is always right is not free: it is paid for while merging.",
        draw=draw_tick,
        shown=("variant", "trace", "guest_memory_bytes", "seconds", "share_of_tick"),
        figures=lambda found: make_table(_FIGURES, found[found["trace"].notna()].head(40)),
    ),
    document=None,
    outcome=Outcome(("variant",), _outcome),
)
