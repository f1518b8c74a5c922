"""What a trace looks like in numbers: dirty pages and runs over time, and how long runs are."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workloads.trace import Trace


@dataclasses.dataclass(frozen=True)
class Profile:
    """A trace in numbers."""

    trace: Trace
    dirty: NDArray[np.int64]
    """Dirty pages of each snapshot."""
    runs: NDArray[np.int64]
    """Runs of dirty pages in each snapshot."""
    run_lengths: NDArray[np.int64]
    """How many runs of 1, 2 to 3, 4 to 7, ... pages there are in all snapshots together."""

    @property
    def mean_run(self) -> float:
        """The mean length of a run in pages, over all snapshots."""
        return float(self.dirty.sum() / max(1, self.runs.sum()))


def profile_trace(trace: Trace) -> Profile:
    """Read ``trace`` once and return its numbers."""
    pages = trace.source.memory.pages
    lengths = np.zeros(pages.bit_length(), dtype=np.int64)
    runs = []
    dirty = np.zeros(pages + 2, dtype=np.bool_)  # and a clean page at either end
    for bitmap in trace.bitmaps():
        dirty[1:-1] = np.unpackbits(bitmap, count=pages, bitorder="little")
        edges = np.flatnonzero(dirty[1:] != dirty[:-1])
        run = edges[1::2] - edges[::2]
        runs.append(len(run))
        # The exponent of a float is the number of bits of the whole number that it was.
        lengths += np.bincount(np.frexp(run.astype(np.float64))[1] - 1, minlength=len(lengths))
    return Profile(trace, np.array(trace.remaining), np.array(runs), lengths)
