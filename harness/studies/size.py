"""How long does a count take in guests of up to terabytes, and what share of a tick is that?"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.choice import choose, recommended_variants
from harness.measurement.lineup import line_up
from harness.measurement.request import Draft, Request, random_trace
from harness.native.dirty_map import map_bytes
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import find_toolchains
from harness.presentation.figures.size import draw_size
from harness.results.limits import find_limits
from harness.studies.study import Options, Study
from workloads.guest import DEFAULT_PAGE_SIZE, GuestMemory
from workloads.random_runs import RandomRuns
from workloads.synthesis import check_fits

TICK_SECONDS = 0.1
SHARES = (0.01, 0.1, 1.0)
SIZES = tuple(size * 2**30 for size in (0.5, 4, 32, 256, 1024, 4096))
# Ten percent dirty in runs of 64 pages: between the letter's extremes, see the study of density.
RUNS = RandomRuns(0.1, 64)
SNAPSHOTS = 2
VARIANTS = ("multi_page", "word_sum", "bitmap_popcount", "two_level")
BOUNDS = ("read_limit", "bitmap_read_limit")


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
        warmups=0,
    )


def trace_of_size(memory: GuestMemory, seed: int) -> Draft:
    """Return the trace that stands for guests of that size."""
    return random_trace(memory, RUNS, SNAPSHOTS, seed, str(memory.size))


def table(rows: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return a row for each size and variant, the original among them."""
    rows = rows[~rows["noise_floor"]]
    parts = [_of_original(rows), rows]
    found = pd.concat(parts).sort_values("guest_memory_bytes", kind="stable", ignore_index=True)
    lengths = [
        map_bytes(kind, size // DEFAULT_PAGE_SIZE)
        for kind, size in zip(found["map"], found["guest_memory_bytes"], strict=True)
    ]
    shares = []
    for size, group in found.groupby("guest_memory_bytes"):
        limits = find_limits(group.assign(condition=str(size)))
        of = zip(group["variant"], group["original_toolchain"], strict=True)
        shares += [limits.share(variant, toolchain) for variant, toolchain in of]
    return pd.DataFrame(
        {
            "guest_memory_bytes": found["guest_memory_bytes"],
            "variant": found["variant"],
            "map": found["map"],
            "toolchain": found["original_toolchain"],
            "seconds": found["variant_seconds"],
            "bytes_per_second": np.array(lengths) / found["variant_seconds"],
            "share_of_limit": shares,
            "share_of_tick": found["variant_seconds"] / TICK_SECONDS,
            "speedup": found["speedup"],
            "speedup_low": found["speedup_low"],
            "speedup_high": found["speedup_high"],
        }
    )


def _of_original(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what the originals' rows would be."""
    first = rows.drop_duplicates(["guest_memory_bytes", "original_toolchain"])
    return first.assign(
        variant=first["original"],
        map="byte map",
        bound=False,
        variant_seconds=first["original_seconds"],
        speedup=1.0,
        speedup_low=1.0,
        speedup_high=1.0,
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


def draw(found: pd.DataFrame) -> Figure:
    """Draw the share of a tick, and of the limit, over the size."""
    return draw_size(found)


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return at which guest memory each variant takes 1 %, 10 % and all of a tick."""
    lines = [
        ("variant", "largest guest", "of limit", *(f"{share:.0%} of a tick" for share in SHARES))
    ]
    for variant, group in found.groupby("variant", sort=False):
        last = group.iloc[-1]
        reaches = [
            reach(group["guest_memory_bytes"].tolist(), group["share_of_tick"].tolist(), share)
            for share in SHARES
        ]
        of_limit = last["share_of_limit"]
        lines.append(
            (
                str(variant),
                f"{last['seconds'] * 1e3:.3g} ms",
                f"{of_limit:.2f}" if of_limit == of_limit else "",
                *(f"{_size(r.bytes)}{' *' if r.extrapolated else ''}" for r in reaches),
            )
        )
    return lines


def _size(size: float) -> str:
    """Write a size in two digits."""
    for unit, scale in (("PiB", 2**50), ("TiB", 2**40), ("GiB", 2**30)):
        if size >= scale:
            return (
                f"{size / scale:.2g} {unit}" if size < 100 * scale else f"{size / scale:.0f} {unit}"
            )
    return f"{size / 2**20:.0f} MiB"


STUDY = Study(request, table, draw, summarize)
