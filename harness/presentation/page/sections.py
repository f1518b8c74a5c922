"""Sections of the page: each a picture for every result, what to see in it, and how it was made."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

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
from harness.presentation.page.picture import Picture, make_picture
from harness.presentation.page.stored import Stored
from harness.presentation.report import MOST_SIDE_BY_SIDE, comparable, trace_title
from harness.presentation.table import format_short, limit_shares
from workloads.profile import profile_trace

Table = tuple[tuple[str, ...], ...]
"""Rows of cells, the first of them the heading."""
_POINTS = 100
"""Snapshots of a trace and variant that the page draws; more would not be told apart."""
_SPEEDUP = ("speedup", "speedup_low", "speedup_high")


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of the page."""

    key: str
    title: str
    said: str
    """What to see, in two sentences."""
    command: str
    pictures: tuple[Picture, ...]
    tables: tuple[tuple[str, Table], ...]
    """By the name of the result."""


@dataclasses.dataclass(frozen=True)
class _Plan:
    """How a section is made of a result."""

    key: str
    title: str
    said: str
    command: str
    rows: Callable[[Stored], pd.DataFrame | None]
    """What its picture shows; None if the result has none."""
    draw: Callable[[Stored, pd.DataFrame], Figure]
    shown: tuple[str, ...]
    table: Callable[[pd.DataFrame], Table]


def make_sections(results: Sequence[Stored]) -> list[Section]:
    """Return the sections for which any of ``results`` has data, the main one first."""
    sections = []
    for plan in _PLANS:
        pictures, tables = [], []
        for number, result in enumerate(results):
            rows = plan.rows(result)
            if rows is None or rows.empty:
                continue
            rows = rows.reset_index(drop=True)
            key = f"{plan.key}-{number}"
            description = f"{plan.title}, {result.name}"
            figure = plan.draw(result, rows)
            pictures.append(make_picture(key, result.name, description, figure, rows, plan.shown))
            tables.append((result.name, plan.table(rows)))
        if pictures:
            sections.append(
                Section(
                    plan.key, plan.title, plan.said, plan.command, tuple(pictures), tuple(tables)
                )
            )
    return sections


def _measured(result: Stored) -> pd.DataFrame:
    rows = result.speedups
    return rows[~rows["noise_floor"] & (rows["paid_in"] == "")]


def _few(result: Stored) -> pd.DataFrame:
    """Return the rows of the main picture: the claimed variants, if there are many."""
    rows = _measured(result)
    if rows["variant"].nunique() <= MOST_SIDE_BY_SIDE:
        return rows
    claimed = rows[rows["claim_low"].notna()]
    return claimed if len(claimed) else rows


def _draw_main(_: Stored, rows: pd.DataFrame) -> Figure:
    many = rows["variant"].nunique() > MOST_SIDE_BY_SIDE
    return draw_ladder(rows) if many else draw_speedups(rows)


def _snapshots(result: Stored) -> pd.DataFrame | None:
    if result.snapshots is None:
        return None
    rows = result.snapshots[~result.snapshots["variant"].str.endswith(" again")]
    rows = rows[rows["variant"].isin({*_few(result)["variant"], *result.speedups["original"]})]
    parts = [_thin(group) for _, group in rows.groupby(["condition", "origin", "toolchain",
                                                        "variant"], sort=False)]  # fmt: skip
    return pd.concat(parts) if parts else None


def _thin(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _POINTS)).round().astype(int))
    return rows.iloc[chosen]


def _ladder(result: Stored) -> pd.DataFrame | None:
    if result.variants is not None:
        rows = result.variants
        return rows[~rows["noise_floor"] & (rows["paid_in"] == "")]
    rows = _measured(result)
    return rows if rows["variant"].nunique() > MOST_SIDE_BY_SIDE else None


def _profiles(result: Stored) -> pd.DataFrame | None:
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


def _pairs(result: Stored) -> pd.DataFrame | None:
    rows = _profiles(result)
    return rows if rows is not None and comparable(result.traces) else None


def _draw_pairs(result: Stored, _: pd.DataFrame) -> Figure:
    groups = comparable(result.traces)
    return draw_comparison([(name, [profile_trace(t) for t in group]) for name, group in groups])


def _draw_traces(result: Stored, _: pd.DataFrame) -> Figure:
    return draw_memory(result.traces, [trace_title(trace) for trace in result.traces])


def _study(name: str) -> Callable[[Stored], pd.DataFrame | None]:
    return lambda result: result.studies.get(name)


def _cells(rows: pd.DataFrame, columns: Sequence[tuple[str, str]], most: int = 40) -> Table:
    """Return the columns (name, heading) of ``rows`` as cells, at most so many rows."""
    table = [tuple(heading for _, heading in columns)]
    for row in rows.head(most).to_dict("records"):
        table.append(tuple(_cell(row[name]) for name, _ in columns))
    return tuple(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else format_short(value) if value < 1000 else f"{value:,.0f}"
    return str(value)


def _main_table(rows: pd.DataFrame) -> Table:
    table = [("trace", "variant", "speedup", "95 %", "the letter", "verdict")]
    for row in rows.to_dict("records"):
        claimed = row["claim_low"] == row["claim_low"]
        table.append(
            (
                f"{row['condition'].capitalize()}, {row['origin']}",
                f"{row['variant']} ({row['toolchain']})",
                format_short(row["speedup"]),
                f"{format_short(row['speedup_low'])} to {format_short(row['speedup_high'])}",
                f"{row['claim_low']:.3g} to {row['claim_high']:.3g}" if claimed else "",
                row["verdict"] if claimed else "",
            )
        )
    return tuple(table)


def _ladder_table(rows: pd.DataFrame) -> Table:
    limits = limit_shares(rows)
    table = [("variant", "map", "toolchain", "lowest speedup", "highest", "of the limit")]
    keys = ["map", "variant", "toolchain"]
    for (kind, variant, toolchain), group in rows.groupby(keys, sort=False):
        share = limits.get(str(variant))
        table.append(
            (str(variant), str(kind), str(toolchain), format_short(group["speedup"].min()),
             format_short(group["speedup"].max()), f"{share:.2f}" if share else "")
        )  # fmt: skip
    return tuple(table)


def _runtime_table(rows: pd.DataFrame) -> Table:
    table = [("trace", "variant", "fastest call", "slowest call", "most dirty pages")]
    keys = ["condition", "origin", "variant"]
    for (condition, origin, variant), group in rows.groupby(keys, sort=False):
        low, high = 1e6 * group["seconds"].min(), 1e6 * group["seconds"].max()
        most = f"{group['remaining_pages'].max():,}"
        name = f"{str(condition).capitalize()}, {origin}"
        table.append((name, str(variant), f"{low:.3g} µs", f"{high:.3g} µs", most))
    return tuple(table)


def _density_table(rows: pd.DataFrame) -> Table:
    rows = rows[rows["trace"].fillna("") == ""]
    table = [("variant", "maps", "slower than the original on", "lowest speedup", "highest")]
    for variant, group in rows.groupby("variant", sort=False):
        slower = int((group["speedup_high"] < 1).sum())
        table.append(
            (str(variant), str(len(group)), str(slower), format_short(group["speedup"].min()),
             format_short(group["speedup"].max()))
        )  # fmt: skip
    return tuple(table)


def _draw_density(_: Stored, rows: pd.DataFrame) -> Figure:
    return draw_density(rows.fillna({"trace": ""}))


_TRACE_COLUMNS = (
    ("condition", "condition"), ("origin", "origin"), ("snapshots", "snapshots"),
    ("seconds", "seconds"), ("most_dirty_pages", "most dirty pages"),
    ("mean_dirty_pages", "dirty pages, mean"), ("mean_run", "pages in a run, mean"),
)  # fmt: skip
_PLANS = (
    _Plan(
        "speedups", "The letter's four conditions",
        "Each mark is the speedup of the patch over the original on a whole trace, with its 95 % "
        "interval; the orange bands are the ranges that the letter reports. A mark below the line "
        "at 1 is slower; the pale bars reach from the slowest to the fastest snapshot.",
        "make bench", _few, _draw_main, ("condition", "origin", "variant", *_SPEEDUP, "verdict"),
        _main_table,
    ),
    _Plan(
        "runtime", "Runtime against remaining dirty pages",
        "Each point is one snapshot: the time of one call over the pages that are still dirty. The "
        "original takes about as long whatever is dirty; what the patch takes depends on how dirty "
        "pages lie, and only through that on how many there are.",
        "make bench", _snapshots, lambda _, rows: draw_runtime(rows, as_outlines=True),
        ("condition", "origin", "variant", "tick_ms", "remaining_pages", "dirty_runs", "seconds"),
        _runtime_table,
    ),
    _Plan(
        "traces", "The traces: guest memory over time",
        "Guest memory from its first page (bottom) to its last, over the time of the migration; "
        "dark is dirty. A migration begins with every page dirty and then sends what the guest "
        "makes dirty again.",
        "dirtyscan trace plot TRACE", _profiles, _draw_traces, ("condition", "origin"),
        lambda rows: _cells(rows, _TRACE_COLUMNS),
    ),
    _Plan(
        "variants", "Every variant against the limit",
        "A line a variant, a mark a trace; the original is at 1. The rightmost line of each "
        "representation reads the map and does nothing else, which no count can beat.",
        "dirtyscan bench --variant all", _ladder, lambda _, rows: draw_ladder(rows),
        ("variant", "condition", "origin", "toolchain", *_SPEEDUP), _ladder_table,
    ),
    _Plan(
        "toolchains", "The compiler decides too",
        "The same two C files, by compiler and flags. Where a compiler makes more of the original, "
        "the patch gains less, and it may lose everywhere.",
        "dirtyscan study toolchains", _study("toolchains"), lambda _, rows: draw_toolchains(rows),
        ("condition", "origin", "variant", "toolchain", *_SPEEDUP),
        lambda rows: _cells(
            rows[rows["claim_low"].notna()],
            (("condition", "condition"), ("origin", "origin"), ("toolchain", "toolchain"),
             ("variant", "variant"), ("speedup", "speedup"), ("verdict", "verdict")), 100,
        ),
    ),
    _Plan(
        "density", "When checking several pages at once pays",
        "Speedup over the share of dirty pages and the mean length of their runs; blue is faster "
        "than the original, red slower. The numbered marks are where the conditions' traces lie.",
        "dirtyscan study density", _study("density"), _draw_density,
        ("variant", "asked_density", "asked_mean_run", *_SPEEDUP), _density_table,
    ),
    _Plan(
        "size", "Guests of up to terabytes",
        "Left the share of the 100 ms between two ticks that one count takes, right the speed as a "
        "share of reading the map. Where a line crosses 100 % the count is all that a tick has "
        "time for.",
        "dirtyscan study size", _study("size"), lambda _, rows: draw_size(rows),
        ("variant", "guest_memory_bytes", "seconds", "share_of_tick", "share_of_limit"),
        lambda rows: _cells(
            rows[rows["guest_memory_bytes"] == rows["guest_memory_bytes"].max()],
            (("variant", "variant"), ("map", "map"), ("seconds", "seconds, largest guest"),
             ("share_of_tick", "of a tick"), ("share_of_limit", "of the limit")),
        ),
    ),
    _Plan(
        "tick", "The whole tick",
        "Merging the log, counting, and clearing what is sent, for each design of the map. A "
        "counter that is always right is not free: it is paid for while merging.",
        "dirtyscan study tick", _study("tick"), lambda _, rows: draw_tick(rows),
        ("variant", "trace", "guest_memory_bytes", "seconds", "share_of_tick"),
        lambda rows: _cells(
            rows[rows["trace"].notna()],
            (("variant", "design"), ("trace", "captured trace"), ("speedup", "speedup"),
             ("share_of_tick", "of a tick")),
        ),
    ),
    _Plan(
        "instructions", "Why: instructions and branches",
        "Left the instructions a page, counted exactly; right the branches of a simple simulated "
        "predictor that go wrong. Variants without branches take the same work on every trace; the "
        "patch pays for every change between dirty and clean.",
        "dirtyscan study instructions", _study("instructions"),
        lambda _, rows: draw_instructions(rows),
        ("variant", "condition", "origin", "instructions_per_page", "mispredicted_per_page"),
        lambda rows: _cells(
            rows[rows["origin"] == "captured"],
            (("variant", "variant"), ("condition", "condition"),
             ("instructions_per_page", "instructions a page"),
             ("mispredicted_per_page", "mispredicted a page")), 100,
        ),
    ),
    _Plan(
        "origins", "Where synthetic and captured traces differ",
        "Dirty pages and runs over time, and the share of dirty pages in runs of at least so many. "
        "Today's QEMU reads the dirty log once a round, so captured maps stay as they are for "
        "longer than the models' maps, which are synchronised every tick as in 2010.",
        "dirtyscan trace compare A.trace B.trace", _pairs, _draw_pairs, ("condition", "origin"),
        lambda rows: _cells(rows, _TRACE_COLUMNS),
    ),
)  # fmt: skip
