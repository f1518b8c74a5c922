"""The contents of the page: what each section shows, says and was made by."""

import dataclasses
from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.figures.assumptions import draw_assumptions
from harness.presentation.figures.claims import draw_claims
from harness.presentation.figures.comparison import draw_comparison
from harness.presentation.figures.density import draw_density
from harness.presentation.figures.instructions import draw_instructions
from harness.presentation.figures.ladder import draw_ladder
from harness.presentation.figures.memory import draw_memory
from harness.presentation.figures.runtime import draw_runtime
from harness.presentation.figures.size import draw_size
from harness.presentation.figures.speedups import draw_speedups
from harness.presentation.figures.tick import draw_tick
from harness.presentation.figures.toolchains import draw_toolchains
from harness.presentation.page import rows as rows_of
from harness.presentation.page import tables
from harness.presentation.page.stored import Stored
from harness.presentation.report import MOST_SIDE_BY_SIDE, comparable, trace_title
from workloads.profile import profile_trace

_SPEEDUP = ("speedup", "speedup_low", "speedup_high")


@dataclasses.dataclass(frozen=True)
class Entry:
    """How a section is made of a result."""

    key: str
    title: str
    said: str
    command: str
    rows: Callable[[Stored], pd.DataFrame | None]
    """What its picture shows; None if the result has none."""
    draw: Callable[[Stored, pd.DataFrame], Figure]
    shown: tuple[str, ...]
    table: Callable[[pd.DataFrame], tables.Table]


def _draw_main(_: Stored, rows: pd.DataFrame) -> Figure:
    many = rows["variant"].nunique() > MOST_SIDE_BY_SIDE
    return draw_ladder(rows) if many else draw_speedups(rows)


def _draw_density(_: Stored, rows: pd.DataFrame) -> Figure:
    return draw_density(rows.fillna({"trace": ""}))


def _draw_pairs(result: Stored, _: pd.DataFrame) -> Figure:
    groups = comparable(result.traces)
    return draw_comparison([(name, [profile_trace(t) for t in group]) for name, group in groups])


def _draw_traces(result: Stored, _: pd.DataFrame) -> Figure:
    return draw_memory(result.traces, [trace_title(trace) for trace in result.traces])


_TRACE_COLUMNS = (
    ("condition", "condition"), ("origin", "origin"), ("snapshots", "snapshots"),
    ("seconds", "seconds"), ("most_dirty_pages", "most dirty pages"),
    ("mean_dirty_pages", "dirty pages, mean"), ("mean_run", "pages in a run, mean"),
)  # fmt: skip
CONTENTS = (
    Entry(
        "speedups", "The letter's four conditions",
        "Each mark is the speedup of the patch over the original on a whole trace, with its 95 % "
        "interval; the orange bands are the ranges that the letter reports. A mark below the line "
        "at 1 is slower; the pale bars reach from the slowest to the fastest snapshot.",
        "make bench", rows_of.few, _draw_main,
        ("condition", "origin", "variant", *_SPEEDUP, "verdict"), tables.main_table,
    ),
    Entry(
        "runtime", "Runtime against remaining dirty pages",
        "Each point is one snapshot: the time of one call over the pages that are still dirty. The "
        "original takes about as long whatever is dirty; what the patch takes depends on how dirty "
        "pages lie, and only through that on how many there are.",
        "make bench", rows_of.snapshots, lambda _, rows: draw_runtime(rows, as_outlines=True),
        ("condition", "origin", "variant", "tick_ms", "remaining_pages", "dirty_runs", "seconds"),
        tables.runtime_table,
    ),
    Entry(
        "traces", "The traces: guest memory over time",
        "Guest memory from its first page (bottom) to its last, over the time of the migration; "
        "coloured is dirty. A migration begins with every page dirty and then sends what the guest "
        "makes dirty again.",
        "dirtyscan trace plot TRACE", rows_of.profiles, _draw_traces, ("condition", "origin"),
        lambda rows: tables.cells(rows, _TRACE_COLUMNS),
    ),
    Entry(
        "variants", "Every variant against the limit",
        "A line a variant, a mark a trace; the original is at 1. The lines with limit in their "
        "name read the map and do nothing else, which no count can beat by more than chance.",
        "dirtyscan bench --variant all", rows_of.every_variant, lambda _, rows: draw_ladder(rows),
        ("variant", "condition", "origin", "toolchain", *_SPEEDUP), tables.ladder_table,
    ),
    Entry(
        "toolchains", "The compiler decides too",
        "The same two C files, by compiler and flags. Where a compiler makes more of the original, "
        "the patch gains less, and it may lose everywhere.",
        "dirtyscan study toolchains", rows_of.study("toolchains"),
        lambda _, rows: draw_toolchains(rows),
        ("condition", "origin", "variant", "toolchain", *_SPEEDUP),
        lambda rows: tables.cells(
            rows[rows["claim_low"].notna()],
            (("condition", "condition"), ("origin", "origin"), ("toolchain", "toolchain"),
             ("variant", "variant"), ("speedup", "speedup"), ("verdict", "verdict")), 100,
        ),
    ),
    Entry(
        "density", "When checking several pages at once pays",
        "Speedup over the share of dirty pages and the mean length of their runs; blue is faster "
        "than the original, red slower. The numbered marks are where the conditions' traces lie.",
        "dirtyscan study density", rows_of.study("density"), _draw_density,
        ("variant", "asked_density", "asked_mean_run", *_SPEEDUP), tables.density_table,
    ),
    Entry(
        "size", "Guests of up to terabytes",
        "Left the share of the 100 ms between two ticks that one count takes, right the speed as a "
        "share of reading the map. Where a line crosses 100 % the count is all that a tick has "
        "time for.",
        "dirtyscan study size", rows_of.study("size"), lambda _, rows: draw_size(rows),
        ("variant", "guest_memory_bytes", "seconds", "share_of_tick", "share_of_limit"),
        lambda rows: tables.cells(
            rows[rows["guest_memory_bytes"] == rows["guest_memory_bytes"].max()],
            (("variant", "variant"), ("map", "map"), ("seconds", "seconds, largest guest"),
             ("share_of_tick", "of a tick"), ("share_of_limit", "of the limit")),
        ),
    ),
    Entry(
        "tick", "The whole tick",
        "Merging the log, counting, and clearing what is sent, for each design of the map. A "
        "counter that is always right is not free: it is paid for while merging.",
        "dirtyscan study tick", rows_of.study("tick"), lambda _, rows: draw_tick(rows),
        ("variant", "trace", "guest_memory_bytes", "seconds", "share_of_tick"),
        lambda rows: tables.cells(
            rows[rows["trace"].notna()],
            (("variant", "design"), ("trace", "captured trace"), ("speedup", "speedup"),
             ("share_of_tick", "of a tick")),
        ),
    ),
    Entry(
        "instructions", "Why: instructions and branches",
        "Left the instructions a page, counted exactly; right the branches of a simple simulated "
        "predictor that go wrong. Variants without branches take the same work on every trace; the "
        "patch pays for every change between dirty and clean.",
        "dirtyscan study instructions", rows_of.study("instructions"),
        lambda _, rows: draw_instructions(rows),
        ("variant", "condition", "origin", "instructions_per_page", "mispredicted_per_page"),
        lambda rows: tables.cells(
            rows[rows["origin"] == "captured"],
            (("variant", "variant"), ("condition", "condition"),
             ("instructions_per_page", "instructions a page"),
             ("mispredicted_per_page", "mispredicted a page")), 100,
        ),
    ),
    Entry(
        "assumptions", "How much the models of the guests decide",
        "The synthetic traces again, each with one thing about the guest or the link assumed "
        "differently. Where a mark stays near the dotted line, the answer does not hang on that "
        "assumption.",
        "dirtyscan study assumptions", rows_of.study("assumptions"),
        lambda _, rows: draw_assumptions(rows),
        ("condition", "assumption", "settings", "variant", *_SPEEDUP),
        lambda rows: tables.cells(
            rows, (("condition", "condition"), ("assumption", "assumption"),
                   ("variant", "variant"), ("speedup", "speedup")),
        ),
    ),
    Entry(
        "claims", "Claims that are open today",
        "What was published of counting and of other operations, in QEMU and elsewhere, and "
        "what was measured. Where the blue mark lies on its orange range the claim holds; the grey "
        "bar is what the same pair of variants gives on traces of real migrations.",
        "dirtyscan claims run", rows_of.study("claims"), lambda _, rows: draw_claims(rows),
        ("claim", "workload", "operation", "original", "variant", "claimed_low", "claimed_high",
         *_SPEEDUP, "verdict"), tables.claims_table,
    ),
    Entry(
        "origins", "Where synthetic and captured traces differ",
        "Dirty pages and runs over time, and the share of dirty pages in runs of at least so many. "
        "Today's QEMU reads the dirty log once a round, so captured maps stay as they are for "
        "longer than the models' maps, which are synchronised every tick as in 2010.",
        "dirtyscan trace compare A.trace B.trace", rows_of.pairs, _draw_pairs,
        ("condition", "origin"), lambda rows: tables.cells(rows, _TRACE_COLUMNS),
    ),
)  # fmt: skip
