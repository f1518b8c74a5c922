"""What a guest has written in each tick, as far as a trace shows it: what became dirty.

A page that was dirty already and was written again is not seen, so it is the least that the guest
has written. The pages of the first snapshot count as written, as all of memory is dirty when a
migration begins.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from workloads.trace import Trace


def written(trace: Trace) -> Iterator[NDArray[np.uint8]]:
    """Yield what became dirty before each snapshot, as bitmaps like those of the trace.

    Raises:
        BadInput: the file is damaged.
    """
    before: NDArray[np.uint8] | None = None
    for bitmap in trace.bitmaps():
        yield bitmap if before is None else bitmap & ~before
        before = bitmap


def representative(pages: Sequence[int], count: int) -> list[int]:
    """Choose ticks whose mean is near that of all, however much they differ.

    All are put in the order of how many ``pages`` were written in them and divided into ``count``
    parts of the same length, and from each comes the one in its middle.

    Returns:
        Places in ``pages``, ascending; all if there are no more than ``count``.
    """
    order = np.argsort(np.asarray(pages), kind="stable")
    if len(order) <= count:
        return list(range(len(order)))
    middles = ((np.arange(count) + 0.5) * len(order) / count).astype(int)
    return sorted(int(place) for place in order[middles])
