"""Random dirty maps of a given density and mean run length: no guest, but every guest's ballpark.

Runs of dirty and of clean pages alternate, their lengths drawn from geometric distributions, which
is what a map looks like whose pages become dirty by a two-state Markov chain along the address.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from workloads.draws import Draws
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

TICK_MS = 100


@dataclasses.dataclass(frozen=True)
class RandomRuns:
    """A random dirty map.

    Raises:
        BadInput: there is no such map.
    """

    density: float
    """The share of pages that are dirty, 0 to 1."""
    mean_run: float
    """The mean length of a run of dirty pages, from 1 up; no matter if none or all are dirty."""
    fixed: bool = False
    """Whether every run has the mean length, which is a whole number then, rather than a random."""

    def __post_init__(self) -> None:
        if not (0 <= self.density <= 1 and self.mean_run >= 1):
            raise BadInput(
                f"a density of {self.density:g} with a mean run of {self.mean_run:g} pages cannot "
                "be made; give a density from 0 to 1 and a run from 1 up."
            )
        if 0 < self.density < 1 and self.mean_clean_run < 1 - 1e-9:
            shortest = self.density / (1 - self.density)
            raise BadInput(
                f"a density of {self.density:g} with a mean run of {self.mean_run:g} pages cannot "
                "be made, since clean runs would be shorter than a page; give a mean run of at "
                f"least {shortest:.4g}."
            )

    @property
    def mean_clean_run(self) -> float:
        """The mean length of a run of clean pages; infinite if none are dirty."""
        return self.mean_run * (1 - self.density) / self.density if self.density else math.inf

    @property
    def name(self) -> str:
        """How a trace of such maps is called."""
        return f"density-{self.density:g}-run-{self.mean_run:.6g}{'-fixed' if self.fixed else ''}"


def in_words(name: str) -> str:
    """Return what a trace called ``name`` holds; empty if it is none of random maps."""
    found = re.fullmatch(r"density-(.+)-run-(.+?)(-fixed)?", name)
    if not found:
        return ""
    density, run, fixed = found.groups()
    try:
        alone = random_pages(float(density)).name == name
    except (BadInput, ValueError):
        return ""
    of_runs = "" if alone else f", run {run}" if fixed else f", mean run {run}"
    return f"density {density}{of_runs}"


def random_pages(density: float) -> RandomRuns:
    """Return the maps in which each page is dirty or not whatever the others are."""
    return RandomRuns(density, 1 / (1 - density) if density < 1 else 1)


def is_possible(density: float, mean_run: float) -> bool:
    """Return whether there are maps of such a density and mean run."""
    return density in (0, 1) or mean_run * (1 - density) / density >= 1 - 1e-9


def draw_map(memory: GuestMemory, runs: RandomRuns, seed: int) -> NDArray[np.bool_]:
    """Return one map: ``bool``, one element a page."""
    if runs.density in (0, 1):
        return np.full(memory.pages, runs.density == 1, np.bool_)
    draws = Draws(seed, runs.name)
    lengths: list[NDArray[np.int64]] = []
    left, pair = memory.pages, runs.mean_run + runs.mean_clean_run
    first_dirty = draws.below(2**31, 1)[0] < runs.density * 2**31
    means = (runs.mean_run, runs.mean_clean_run) if first_dirty else (
        runs.mean_clean_run, runs.mean_run)  # fmt: skip
    while left > 0:
        wanted = int(left / pair * 1.05) + 16
        pairs = np.stack([_geometric(draws, mean, wanted) for mean in means], axis=1)
        if runs.fixed:
            pairs[:, 0 if first_dirty else 1] = round(runs.mean_run)
        both = pairs.reshape(-1)
        lengths.append(both)
        left -= int(both.sum())
    all_lengths = np.concatenate(lengths)
    dirty = np.arange(len(all_lengths)) % 2 == (0 if first_dirty else 1)
    ends = np.minimum(np.cumsum(all_lengths), memory.pages)
    return np.repeat(dirty, np.diff(ends, prepend=0))


def _geometric(draws: Draws, mean: float, count: int) -> NDArray[np.int64]:
    """Return ``count`` whole numbers from 1 up, geometrically distributed."""
    if mean <= 1 + 1e-9:
        return np.ones(count, np.int64)
    uniform = (draws.raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    lengths = 1 + np.floor(np.log1p(-uniform) / math.log1p(-1 / mean))
    return np.asarray(np.minimum(lengths, 2.0**40), dtype=np.int64)


def write_random_runs(
    path: Path, memory: GuestMemory, runs: RandomRuns, snapshots: int, seed: int
) -> Trace:
    """Write a trace of ``snapshots`` maps, each drawn anew, to ``path``.

    Raises:
        BadInput: the file cannot be written.
    """
    parameters = {
        "seed": {"value": seed, "unit": ""},
        "density": {"value": runs.density, "unit": "share"},
        "mean_run": {"value": runs.mean_run, "unit": "pages"},
        "fixed": {"value": runs.fixed, "unit": ""},
    }
    source = Source(runs.name, "synthetic", memory, None, parameters)

    def draw() -> Iterator[Snapshot]:
        for number in range(snapshots):
            yield Snapshot((number + 1) * TICK_MS, draw_map(memory, runs, seed + number))

    return write_trace(path, source, draw())
