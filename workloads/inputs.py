"""Files that come from elsewhere: how they are called, how long they are, and what is in them."""

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.text import LONGEST_NAME, natural, shortened, shown
from workloads.synthesis import Report


def trace_name(wanted: str | None, path: Path) -> str:
    """Return how the trace from ``path`` is called: as ``wanted``, or as the file if that is None.

    Raises:
        BadInput: the name that is wanted is empty, too long, or cannot be shown.
    """
    if wanted is None:
        return shown(path.stem)[:LONGEST_NAME] or "imported"
    if not wanted or len(wanted) > LONGEST_NAME or "/" in wanted or shown(wanted) != wanted:
        raise BadInput(
            f"--name {shortened(wanted)!r} cannot be used; give 1 to {LONGEST_NAME} characters, "
            "none of them a slash or a control character."
        )
    return wanted


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Return ``paths`` in the order of time.

    Shells give ``log-10`` before ``log-2``. So where names differ in their numbers alone, these
    decide; otherwise the order is that in which somebody gave them.
    """
    if len({re.sub(r"[0-9]+", "0", str(path)) for path in paths}) == 1:
        return sorted(paths, key=lambda path: natural(str(path)))
    return list(paths)


def data_pages(descriptor: int, size: int, page_size: int) -> NDArray[np.bool_]:
    """Return one bool for each page of an open file of ``size`` bytes: whether it is no hole.

    Args:
        descriptor: is not read, but its position changes.
    """
    there = np.zeros(-(-size // page_size), dtype=np.bool_)
    place = 0
    while place < size:
        try:
            place = os.lseek(descriptor, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # no more data
                raise
            break
        end = os.lseek(descriptor, place, os.SEEK_HOLE)
        there[place // page_size : -(-end // page_size)] = True
        place = end
    return there


def file_size(path: Path) -> int | None:
    """Return how many bytes ``path`` has; None if it is a pipe or the like, which does not say.

    Raises:
        BadInput: it is not there, or a folder.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(found.st_mode):
        raise unreadable(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def pieces(path: Path, size: int, report: Report = lambda *_: None) -> Iterator[bytes]:
    """Yield what is in ``path``, ``size`` bytes at a time, the last piece perhaps shorter.

    Raises:
        BadInput: it cannot be read.
    """
    expected = -(-(file_size(path) or 0) // size)
    try:
        with path.open("rb") as file:
            for number, data in enumerate(iter(lambda: file.read(size), b""), start=1):
                yield data
                report("reading", number, max(number, expected))
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BadInput:
    """Return the error for a file that ``error`` kept from being read."""
    return BadInput(f"{path} cannot be read ({error.strerror or error}); check its path.")
