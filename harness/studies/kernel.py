"""Where does the time of a tick go: to the guest, to the kernel, or to what counts?"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.base.errors import BadInput
from harness.kernel.cases import Case, cases
from harness.kernel.measurement import Replays, Wanted
from harness.kernel.measurement import measure as measure_guests
from harness.kernel.method import ORIGINAL, Method, find_methods, obstacle
from harness.kernel.parts import (
    COUNTS,
    FROM_THE_KERNEL,
    GUEST,
    OF_WRITES,
    ONCE,
    PARTS,
    PATCH,
    SYNC,
    THEN,
    TODAY,
    answer,
    cost,
    ticks,
)
from harness.machine.state import Watch
from harness.measurement.choice import choose, recommended_variants
from harness.measurement.lineup import line_up
from harness.measurement.request import Given, Request
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import find_toolchains
from harness.presentation.progress import ProgressDisplay
from harness.presentation.table import Table, format_short, make_table, plain_columns, table_by_name
from harness.presentation.tick_parts import draw_tick_parts
from harness.results.environment import describe_environment
from harness.session.session import Session
from harness.studies import Question
from harness.studies.operations import original_here
from harness.studies.size import TICK_SECONDS
from harness.studies.study import Exhibit, Options, Study, on_host, where_measured

QUESTION = Question(
    "Where does the time of a tick go: to the guest, to the kernel, or to what counts?",
    place=42,
    options=("precision", "budget", "plots", "seed"),
    budget=30.0,
    budget_for="each operation, and the guests of each size",
    sizes="of the guests with random maps; default: 512MiB, 4GiB and 32GiB",
)
SIZES = tuple(size * 2**30 for size in (0.5, 4, 32))
_ROUNDS = 5  # of many maps, whose mean is asked for


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Measure the guests and the kernel, then each operation in user space, on the same maps.

    Raises:
        BadInput: a size does not fit into this machine.
    """
    watch = Watch()
    asked = cases([int(size) for size in options.sizes or SIZES], options.seed)
    rows = _from_the_kernel(asked, options, session)
    for name in PARTS:
        if name not in FROM_THE_KERNEL:
            try:
                rows += _operation(name, asked, options, session)
            except BadInput as error:
                session.leave_out(str(error).removesuffix("."))
    toolchains = find_toolchains(options.toolchains)
    environment = describe_environment(toolchains, {"left_out": session.left_out}, watch.stop())
    session.describe({**environment, "toolchains": session.environment.get(
        "toolchains", environment["toolchains"])})  # fmt: skip
    places = {case.name: place for place, case in enumerate(asked)}
    found = pd.DataFrame(rows).sort_values(
        ["map", "part"], kind="stable", ignore_index=True,
        key=lambda column: column.map(
            places if column.name == "map" else {part: i for i, part in enumerate(PARTS)}
        ),
    )  # fmt: skip
    pages = found["map"].map({case.name: case.pages for case in asked})
    return on_host(
        found.assign(
            written_pages=pages,
            nanoseconds_a_page=1e9 * found["seconds"] / pages,
            share_of_tick=found["seconds"] / TICK_SECONDS,
        )
    )


def _method(session: Session) -> Method:
    """Return how the kernel is asked: by KVM's dirty log, and without KVM of a process."""
    why = obstacle(ORIGINAL)
    if not why:
        return ORIGINAL
    session.leave_out(f"a guest on KVM: {why}; a process that is tracked stands for it")
    (other,) = find_methods(["scan"])
    return other


def _from_the_kernel(
    asked: Sequence[Case], options: Options, session: Session
) -> list[dict[str, object]]:
    method = _method(session)
    rows: list[dict[str, object]] = []
    for pages in dict.fromkeys(case.memory.pages for case in asked):
        alike = [case for case in asked if case.memory.pages == pages]
        maps = np.concatenate([case.writes for case in alike])
        wanted = Wanted(
            (method,), pages, maps, options.seed, options.precision, session.budget.seconds,
            rounds=_ROUNDS,
        )  # fmt: skip
        try:
            with ProgressDisplay(session.log) as tell:
                found = measure_guests(wanted, tell)
        except BadInput as error:
            session.leave_out(f"guest and sync: {str(error).removesuffix('.')}")
            continue
        first = 0
        for case in alike:
            chosen = list(range(first, first + len(case.writes)))
            first += len(case.writes)
            rows += _rows(case, found, method, chosen)
    return rows


def _rows(
    case: Case, found: Replays, method: Method, maps: Sequence[int]
) -> list[dict[str, object]]:
    tax, sync = found.tax(0, maps), found.typical("sync", 0, maps)
    once = {f"{part}_nanoseconds_a_page": 1e9 * found.a_page(part, 0) for part in ONCE}
    return [
        {
            "map": case.name, "guest_memory_bytes": case.memory.size, "part": part, "kind": "",
            "variant": method.name, "seconds": each.value, "seconds_low": each.low,
            "seconds_high": each.high, **(once if part == GUEST else {}),
        }
        for part, each in ((GUEST, tax), (SYNC, sync))
    ]  # fmt: skip


def _operation(
    name: str, asked: Sequence[Case], options: Options, session: Session
) -> list[dict[str, object]]:
    """Measure an operation on the maps of every case."""
    best = recommended_variants(name)[-1]
    original = original_here(name)
    kinds = {best: TODAY}
    if name == DEFAULT_OPERATION:
        kinds = {original: THEN, "multi_page": PATCH, best: TODAY}
    traces: list[Given] = []
    names: dict[str, str] = {}
    for case in asked:
        of_remaining = case.remaining if name not in OF_WRITES else None
        traces.append(of_remaining or case.draft())
        names[case.name if of_remaining else case.key] = case.name
    chosen = [variant for variant in kinds if variant != original]
    lineup = line_up(choose(chosen, name, original), find_toolchains(options.toolchains))
    run = session.run(Request(lineup, tuple(traces), options.precision, options.seed), name)
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for row in run.rows.to_dict("records"):
        seconds = {original: row["original_seconds"]}
        if not row["noise_floor"]:
            seconds[str(row["variant"])] = row["variant_seconds"]
        map_ = names[str(row["condition"])]
        for variant in seconds.keys() & kinds.keys():
            rows[map_, kinds[variant]] = {
                "map": map_, "guest_memory_bytes": row["guest_memory_bytes"],
                "part": name, "kind": kinds[variant], "variant": variant,
                "seconds": seconds[variant],
            }  # fmt: skip
    return sorted(rows.values(), key=lambda row: list(kinds.values()).index(str(row["kind"])))


def _summary(found: pd.DataFrame) -> Table:
    """Return the microseconds of each part on every map, and the answer in a sentence."""
    parts = [part for part in PARTS if part in set(found["part"])]
    by_count = {kind: ticks(found, kind) for kind in COUNTS}
    heads = ["a tick, µs", "pages\nwritten"]
    columns = []
    for part in parts:
        for kind in COUNTS if part == DEFAULT_OPERATION else (THEN,):
            heads.append(f"{part}\n{kind}" if part == DEFAULT_OPERATION else part)
            columns.append(by_count[kind].get(part))
    pages = found.drop_duplicates("map").set_index("map")["written_pages"]
    lines = [
        (str(name), f"{pages[name]:.0f}",
         *("" if column is None else _micro(column.get(name)) for column in columns))
        for name in pages.index
    ]  # fmt: skip
    table = table_by_name(QUESTION.text, heads, lines)
    said = tuple(filter(None, (answer(found), cost(found), where_measured(found))))
    return dataclasses.replace(table, notes=said)


def _micro(seconds: float | None) -> str:
    if seconds is None or seconds != seconds:
        return ""
    return f"{1e6 * seconds:,.0f}" if seconds >= 1e-4 else format_short(1e6 * seconds)


_FIGURES = plain_columns(
    *("map", ("pages written", "written_pages"), "part", "variant", "seconds"),
    *(("ns a page", "nanoseconds_a_page"), ("of a tick", "share_of_tick")),
)


STUDY = Study(
    measure=measure,
    summary=_summary,
    exhibit=Exhibit(
        title="Where the time of a tick goes",
        said="A guest of our own writes what recorded guests wrote in a tick, and random maps: "
        "what its faults take, what the kernel takes to say which pages, and what merge, count, "
        "next and drain take in user space, on the same maps. Sending is not in it.",
        draw=draw_tick_parts,
        shown=("map", "part", "variant", "seconds", "nanoseconds_a_page", "share_of_tick"),
        figures=lambda found: make_table(_FIGURES, found.head(100)),
    ),
    document=None,
    outcome=None,
)
