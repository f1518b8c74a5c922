"""Where a pass of the stopwatch is, kept in a file where it outlives a measuring process."""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from harness.native.memory import make_region

NOT_KNOWN = 2**64 - 1
"""In the place of the variant that has started a process."""


class Place(ctypes.Structure):
    """Where a pass is."""

    _fields_ = (
        ("snapshot", ctypes.c_uint64),
        ("variant", ctypes.c_uint64),  # in the order given to time_pass()
        ("active", ctypes.c_uint64),  # whether it has been called and has not returned
        ("forked", ctypes.c_uint64),  # 1 + the variant that has started a process
        ("forked_on", ctypes.c_uint64),  # and the snapshot
        ("process", ctypes.c_uint64),  # that measures; 0 if it does not matter
        # For the caller's own use.
        ("trace", ctypes.c_uint64),
        ("alone", ctypes.c_uint64),
    )


@contextlib.contextmanager
def shared_place(path: Path) -> Iterator[Place]:
    """Yield a place that is kept in a file, where it outlives this process."""
    region = make_region(mmap.PAGESIZE)
    with path.open("w+b") as file:
        file.truncate(mmap.PAGESIZE)
        region.replace_by(file.fileno())
    place = Place.from_buffer(region.memory, mmap.PAGESIZE)
    place.process = os.getpid()
    yield place


def read_place(path: Path) -> Place | None:
    """Read what :func:`shared_place` has left; None if nobody has come so far."""
    try:
        return Place.from_buffer_copy(path.read_bytes())
    except (OSError, ValueError):
        return None
