"""Operations on a dirty map: what each is called, works on, and gives."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from workloads.errors import BadInput

Words = NDArray[np.uint64]
"""One map as a bitmap, one bit a page; bits behind the last page are 0."""

DEFAULT_OPERATION = "count"
TICK_SENT = 26_214
"""Pages that are sent in a tick of the operation ``tick``: 100 ms at 1 GiB/s, 4 KiB each."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation; ``dirtyscan.h`` says what it has to do."""

    name: str
    original: str
    """The variant that others are compared with, unless a claim or a user says otherwise."""
    noun: str
    """What the number that it gives is called, for a sentence about a wrong one."""
    changes_map: bool
    arrays: tuple[str, ...]
    """What it works on beside the map: ``log``, ``taken``, ``ranges``, ``runs``."""
    right: Callable[[Words, Words], int]
    """The number that a call gives on a map, from the map and the log; by numpy."""
    allocates: bool = False
    """Whether a variant may give memory of its own."""

    def wrong(self, result: int, right: int) -> str:
        """Say that a variant gives ``result`` where ``right`` is right."""
        return f"counts {result} {self.noun} where there are {right}"


def _bits(words: Words) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.uint64))


def _count(dirty: Words, _log: Words) -> int:
    return _bits(dirty)


def _ranges(dirty: Words, _log: Words) -> int:
    before = np.zeros_like(dirty)
    before[1:] = dirty[:-1] >> np.uint64(63)
    return _bits(dirty & ~(dirty << np.uint64(1) | before))


def _new(dirty: Words, log: Words) -> int:
    return _bits(log & ~dirty)


def _merged(dirty: Words, log: Words) -> int:
    return _bits(log | dirty)


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("count", "page_by_page", "dirty pages", False, (), _count),
        Operation("ranges", "loop_bits", "ranges", False, ("ranges",), _ranges, allocates=True),
        Operation("drain", "fetch_and_all", "dirty pages", True, ("taken",), _count),
        Operation("mark", "per_page", "dirty pages", True, ("log", "runs"), _count),
        Operation("merge", "per_bit", "newly dirty pages", True, ("log",), _new),
        Operation("next", "find_next_bit", "dirty pages", False, (), _count),
        Operation("tick", "byte_map", "dirty pages", True, ("log",), _merged),
    )
}


def find_operation(name: str) -> Operation:
    """Return the operation called ``name``.

    Raises:
        BadInput: there is none.
    """
    if name not in OPERATIONS:
        raise BadInput(f"operation {name!r} is not known; choose from {', '.join(OPERATIONS)}.")
    return OPERATIONS[name]
