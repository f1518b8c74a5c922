"""A few snapshots of every captured trace, where whole traces would be too much."""

import numpy as np
from numpy.typing import NDArray

from workloads.captured import captured_trace
from workloads.conditions import DEFAULT_CONDITIONS
from workloads.guest import GuestMemory
from workloads.trace import open_trace


def captured_snapshots(each: int) -> tuple[GuestMemory, list[NDArray[np.uint8]]]:
    """Return ``each`` snapshots of the captured trace of every condition of the letter.

    They are spread evenly over each trace, without its ends.

    Returns:
        The guest memory that all of them are of, and the bitmaps, condition by condition.
    """
    bitmaps: list[NDArray[np.uint8]] = []
    for name in DEFAULT_CONDITIONS:
        path = captured_trace(name)
        assert path is not None
        trace = open_trace(path)
        places = [len(trace) * (place + 1) // (each + 1) for place in range(each)]
        bitmaps += trace.bitmaps(places)
    return trace.source.memory, bitmaps
