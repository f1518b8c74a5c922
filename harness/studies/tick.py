"""What does a design cost over a whole tick: merge, count, find and clear what is sent?"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.choice import ALL, choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces
from harness.native.operation import OPERATIONS
from harness.native.toolchain import find_toolchains
from harness.presentation.figures.tick import draw_tick
from harness.studies.size import TICK_SECONDS, trace_of_size
from harness.studies.study import Options, Study
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.synthesis import check_fits
from workloads.units import format_size

SIZES = tuple(size * 2**30 for size in (0.5, 8, 128, 1024))
OPERATION = OPERATIONS["tick"]


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


def table(rows: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return a row for each design and each trace or size, the original design among them."""
    rows = rows[~rows["noise_floor"] & ~rows["bound"]]
    first = rows.drop_duplicates(["condition", "guest_memory_bytes", "original_toolchain"])
    originals = first.assign(
        variant=first["original"],
        variant_seconds=first["original_seconds"],
        map=OPERATION.original_map,
        speedup=1.0,
        speedup_low=1.0,
        speedup_high=1.0,
    )
    found = pd.concat([originals, rows], ignore_index=True)
    captured = found["origin"] == "captured"
    return pd.DataFrame(
        {
            "trace": found["condition"].where(captured, ""),
            "guest_memory_bytes": found["guest_memory_bytes"],
            "variant": found["variant"],
            "map": found["map"],
            "toolchain": found["original_toolchain"],
            "seconds": found["variant_seconds"],
            "share_of_tick": found["variant_seconds"] / TICK_SECONDS,
            "speedup": found["speedup"],
            "speedup_low": found["speedup_low"],
            "speedup_high": found["speedup_high"],
        }
    )


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return the microseconds of a tick on each captured trace, and its share in larger guests."""
    found = found[found["toolchain"] == found["toolchain"].iloc[0]]
    captured, random = (
        found[found["trace"].fillna("") != ""],
        found[found["trace"].fillna("") == ""],
    )
    traces = list(dict.fromkeys(captured["trace"]))
    sizes = sorted(set(random["guest_memory_bytes"]))
    heads = [f"{trace}\nµs" for trace in traces] + [f"{format_size(size)}\n%" for size in sizes]
    lines = [("design", *heads)]
    for variant in dict.fromkeys(found["variant"]):
        of_traces = captured[captured["variant"] == variant].set_index("trace")["seconds"]
        of_sizes = random[random["variant"] == variant].set_index("guest_memory_bytes")
        lines.append(
            (
                str(variant),
                *(f"{1e6 * of_traces[trace]:.1f}" for trace in traces),
                *(f"{100 * of_sizes['share_of_tick'][size]:.3g}" for size in sizes),
            )
        )
    return lines


def draw(found: pd.DataFrame) -> Figure:
    """Draw both halves of the table."""
    return draw_tick(found)


STUDY = Study(request, table, draw, summarize)
