"""What is replayed on a guest of our own: what recorded guests wrote, and random maps."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.units import format_size
from harness.kernel.guest import PAGE_SIZE
from harness.measurement.request import Draft
from workloads.conditions import DEFAULT_CONDITIONS
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.random_runs import draw_map, random_pages
from workloads.recorded import recorded_trace
from workloads.synthesis import Report
from workloads.trace import Source, Trace, open_trace
from workloads.trace_writer import write_trace
from workloads.writes import representative, written

DENSITIES = (0.001, 0.01, 0.1)
DENSITY_OF_SIZES = 0.01
TICKS = 12
"""Of a recorded guest, whose mean stands for all of its ticks."""
_SNAPSHOTS = 2


def to_words(dirty: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return a map of one bool a page as a bitmap in whole words."""
    bits = np.pad(dirty, (0, -len(dirty) % 64))
    return np.packbits(bits, bitorder="little").view(np.uint64)


def bitmap_words(bitmap: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a bitmap of a trace in whole words, (bytes,) or (maps, bytes)."""
    whole = [(0, 0)] * (bitmap.ndim - 1) + [(0, -bitmap.shape[-1] % 8)]
    return np.pad(bitmap, whole).view(np.uint64)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is written in ticks, and what remains then."""

    name: str
    memory: GuestMemory
    writes: NDArray[np.uint64]
    """(ticks, words)."""
    remaining: Path | None
    """The trace that is counted; what was written if None."""

    @property
    def pages(self) -> float:
        """The mean of what is written in a tick."""
        return float(np.bitwise_count(self.writes).sum(dtype=np.int64)) / len(self.writes)

    @property
    def key(self) -> str:
        """How its traces are called."""
        return f"{self.name.replace('%, ', '-percent-')}-written"

    def draft(self) -> Draft:
        """Return its writes as a trace, a snapshot a tick."""

        def write(path: Path, _: Report) -> Trace:
            source = Source(self.key, "imported", self.memory)
            return write_trace(path, source, self._snapshots())

        return Draft(self.key, write)

    def _snapshots(self) -> list[Snapshot]:
        pages = self.memory.pages
        return [
            Snapshot(100 * (tick + 1), to_bools(words, pages))
            for tick, words in enumerate(self.writes)
        ]


def to_bools(words: NDArray[np.uint64], pages: int) -> NDArray[np.bool_]:
    """Return a bitmap as one bool a page."""
    bits = np.unpackbits(words.view(np.uint8), count=pages, bitorder="little")
    return bits.astype(np.bool_)


def cases(sizes: Sequence[int], seed: int) -> list[Case]:
    """Return what is measured: the recorded guests, and random maps by density and by size."""
    found = [_recorded(name) for name in DEFAULT_CONDITIONS]
    smallest, *others = [GuestMemory(int(size), PAGE_SIZE) for size in sorted(set(sizes))]
    found += [_random(smallest, density, seed) for density in DENSITIES]
    return found + [_random(memory, DENSITY_OF_SIZES, seed) for memory in others]


def _recorded(condition: str) -> Case:
    path = recorded_trace(condition)
    assert path  # they come with dirtyscan
    trace = open_trace(path)
    # Before the first tick all of memory counts as written, which the guest had no part in.
    bitmaps = list(written(trace))[1:]
    counts = [int(np.bitwise_count(bitmap).sum(dtype=np.int64)) for bitmap in bitmaps]
    chosen = np.stack([bitmaps[place] for place in representative(counts, TICKS)])
    return Case(condition, trace.source.memory, bitmap_words(chosen), path)


def _random(memory: GuestMemory, density: float, seed: int) -> Case:
    runs = random_pages(density)
    maps = [to_words(draw_map(memory, runs, seed + number)) for number in range(_SNAPSHOTS)]
    name = f"{100 * density:.3g}%, {format_size(memory.size)}"
    return Case(name, memory, np.stack(maps), None)
