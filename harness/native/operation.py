"""Operations on a dirty map: all that tells one from another, but for how C calls it.

That, what an operation works on and whether it changes the map is in ``operations.c``, which
:mod:`harness.native.work` asks. No other module knows an operation by its name.
"""

import ctypes
import dataclasses
import enum
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.native.contract import GIVES, PLAIN, TAKES, Functions, MapStruct
from harness.native.dirty_map import BITMAP, BYTE_MAP, Bits, differ, unpack
from harness.native.peers import PEERS, Peer
from harness.native.work import Work

Words = NDArray[np.uint64]
"""One map as a bitmap, one bit a page; bits behind the last page are 0."""

DEFAULT_OPERATION = "count"
TICK_SENT = 26_214
"""Pages that are sent in a tick of the operation ``tick``: 100 ms at 1 GiB/s, 4 KiB each."""
_SAMPLES = 256  # positions from which the next dirty page is asked for


class Atomic(enum.Enum):
    """What an operation does to a bitmap in which other threads set and take bits meanwhile."""

    SETS = "sets bits"
    TAKES = "takes bits"


@dataclasses.dataclass(frozen=True)
class Called:
    """A call of a variant that has returned, for those who look at what it left behind."""

    functions: Functions
    view: MapStruct
    work: Work
    dirty: Bits
    """What the map was before."""


def _unchanged(dirty: Bits, _log: Bits, _argument: int) -> Bits:
    return dirty


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation; ``dirtyscan.h`` says what it has to do."""

    name: str
    original: str
    """The variant that others are compared with, unless a claim or a user says otherwise."""
    noun: str
    """What the number that it gives is called, for a sentence about a wrong one."""
    right: Callable[[Words, Words, int], int]
    """The number that a call gives, from the map, the log and the argument; by numpy."""
    left: Callable[[Bits, Bits, int], Bits] = _unchanged
    """Which pages are dirty after a call, from the same; by numpy."""
    wrong_output: Callable[[Called], str] | None = None
    """Says what is wrong beside the number and the map, if anything else comes out."""
    argument: int = 0
    """What calls are given beside the map and arrays: pages to send, or a page to search from."""
    atomic: Atomic | None = None
    forms: tuple[int, ...] = (PLAIN,)
    """The signatures that a variant's function may have."""
    allocates: bool = False
    """Whether a variant may give memory of its own."""
    original_map: str = BITMAP
    """The representation that the original is for."""
    recommended: tuple[tuple[str, ...], ...] = ()
    """For each representation those of which the fastest on a CPU is taken."""
    peers: Mapping[str, Peer] = dataclasses.field(default_factory=dict)
    shown: tuple[str, ...] = ("all",)
    """The variants that are measured if nobody says which."""
    composed: bool = False
    """Whether it is made of others, so that designs are compared by it and not single loops."""
    claim_rounds: int = 3
    """Rounds in each process that measures claims; more where one call takes next to nothing."""

    def wrong(self, result: int, right: int) -> str:
        """Say that a variant gives ``result`` where ``right`` is right."""
        return f"counts {result} {self.noun} where there are {right}"


def find_operation(name: str) -> Operation:
    """Return the operation called ``name``.

    Raises:
        BadInput: there is none.
    """
    if name not in OPERATIONS:
        raise BadInput(f"operation {name!r} is not known; choose from {', '.join(OPERATIONS)}.")
    return OPERATIONS[name]


def _bits(words: Words) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.uint64))


def _count(dirty: Words, _log: Words, _argument: int) -> int:
    return _bits(dirty)


def _ranges(dirty: Words, _log: Words, _argument: int) -> int:
    before = np.zeros_like(dirty)
    before[1:] = dirty[:-1] >> np.uint64(63)
    return _bits(dirty & ~(dirty << np.uint64(1) | before))


def _wrong_list(called: Called) -> str:
    given = called.work.list_ranges(called.functions, called.view)
    edges = np.flatnonzero(np.diff(called.dirty.view(np.int8), prepend=0, append=0))
    right = np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1).astype(np.uint64)
    if given.shape == right.shape and (given == right).all():
        return ""
    place = 0
    if given.shape == right.shape:
        place = int(np.flatnonzero((given != right).any(axis=1))[0])
    return (
        f"lists range {place} as {given[place].tolist()} (first page, pages) where "
        f"{right[place].tolist()} is right"
    )


def _none(dirty: Bits, _log: Bits, _argument: int) -> Bits:
    return np.zeros_like(dirty)


def _wrong_taken(called: Called) -> str:
    taken = unpack(called.work.array("taken"), len(called.dirty))
    return differ(taken, called.dirty, "takes")


def _new(dirty: Words, log: Words, _argument: int) -> int:
    return _bits(log & ~dirty)


def _both(dirty: Bits, log: Bits, _argument: int) -> Bits:
    return dirty | log


def _from(dirty: Words, _log: Words, first: int) -> int:
    behind = dirty[first // 64 :].copy()
    behind[:1] &= ~np.uint64((1 << first % 64) - 1)
    return _bits(behind)


def _wrong_places(called: Called) -> str:
    """Ask from places all over the map."""
    run = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(called.functions.run)
    pages = len(called.dirty)
    places = np.append(np.flatnonzero(called.dirty), pages)
    asked = np.unique(np.linspace(0, pages - 1, _SAMPLES).astype(np.int64))
    right = places[np.searchsorted(places, asked)]
    with called.work.prepared(called.functions, called.view):
        found = [run(ctypes.addressof(called.view), start) for start in asked.tolist()]
    for start, page, expected in zip(asked.tolist(), found, right.tolist(), strict=True):
        if page != expected:
            return f"finds page {page} from page {start} on where {expected} is right"
    return ""


def _merged(dirty: Words, log: Words, _argument: int) -> int:
    return _bits(log | dirty)


def _unsent(dirty: Bits, log: Bits, sent: int) -> Bits:
    left = dirty | log
    left[np.flatnonzero(left)[:sent]] = False
    return left


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(
            "count", "page_by_page", "dirty pages", _count,
            original_map=BYTE_MAP, peers=PEERS, shown=("multi_page",),
            recommended=(
                ("avx512_vnni", "avx512", "avx2", "neon", "word_sum"),
                ("bitmap_avx512", "bitmap_avx2", "bitmap_neon", "bitmap_popcount"),
            ),
        ),
        Operation(
            "ranges", "loop_bits", "ranges", _ranges, wrong_output=_wrong_list, allocates=True,
            recommended=(("edges_avx512", "edges"),),
        ),
        Operation(
            "drain", "fetch_and_all", "dirty pages", _count, _none, wrong_output=_wrong_taken,
            atomic=Atomic.TAKES, forms=(PLAIN, GIVES), allocates=True,
            recommended=(("skip_lines_vector", "skip_clean"),),
        ),
        Operation(
            "mark", "per_page", "dirty pages", _count, atomic=Atomic.SETS, claim_rounds=5,
            recommended=(("store_whole",),),
        ),
        Operation(
            "merge", "per_bit", "newly dirty pages", _new, _both, forms=(PLAIN, TAKES),
            recommended=(("avx512", "per_word"),),
        ),
        Operation(
            "next", "find_next_bit", "dirty pages", _from, wrong_output=_wrong_places,
            recommended=(("find_next_avx2", "find_next_inline"),),
        ),
        Operation(
            "tick", "byte_map", "dirty pages", _merged, _unsent, argument=TICK_SENT,
            original_map=BYTE_MAP, composed=True,
            recommended=(("counted_bitmap",),),
        ),
    )
}  # fmt: skip
