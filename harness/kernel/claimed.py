"""What claims on the kernel's part are about, measured on guests of our own."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from harness.kernel.cases import to_words
from harness.kernel.measurement import Replays, Wanted, measure
from harness.kernel.method import Method, find_methods, obstacle
from harness.machine.virtualization import read_virtualization
from harness.measurement.tell import Tell
from harness.statistics.interval import Interval
from workloads.draws import DEFAULT_SEED
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, draw_map

SYNC, START = CLAIMED = ("sync", "start")
"""What a claim may be about: asking for what was written; and starting to track a guest all of
whose memory is there."""
SECOND_LEVEL = "EPT or NPT"
"""What a claim may need of the host, beside what its two ways of asking need."""
_MAPS = 3


@dataclasses.dataclass(frozen=True)
class Compared:
    """Two ways of asking beside each other."""

    speedup: Interval
    original_seconds: float
    variant_seconds: float


def claim_obstacle(names: Sequence[str], needed: str) -> str:
    """Say why a claim about ways of asking cannot be decided on this host; empty if it can.

    Args:
        needed: ``SECOND_LEVEL``, or nothing.

    Raises:
        BadInput: there is no such way of asking.
    """
    for method in find_methods(names):
        if why := obstacle(method):
            return f"{method.name}: {why}"
    host = read_virtualization()
    if needed == SECOND_LEVEL and host["paging"] == "shadow":
        return (
            f"it is about hosts with {needed}, and this one has neither ({host['module']} keeps "
            "page tables of its own for each guest)"
        )
    return ""


def compare(
    operation: str,
    pair: tuple[Method, Method],
    maps: tuple[RandomRuns, GuestMemory],
    precision: float,
    budget: float,
    tell: Tell,
) -> Compared:
    """Measure what a claim is about.

    Args:
        operation: one of ``CLAIMED``.
        pair: the original, and what is compared with it.
        maps: what the guest writes between two syncs, and its memory.
        precision: see :class:`~harness.kernel.measurement.Wanted`, and so ``budget``.

    Raises:
        BadInput: it cannot be measured here.
    """
    runs, memory = maps
    drawn = [to_words(draw_map(memory, runs, DEFAULT_SEED + turn)) for turn in range(_MAPS)]
    wanted = Wanted(pair, memory.pages, np.stack(drawn), DEFAULT_SEED, precision, budget)
    if operation == START:
        wanted = dataclasses.replace(wanted, rounds=1, populate=True)
    found = measure(wanted, tell)
    return _of_starts(found) if operation == START else _of_syncs(found)


def _of_syncs(found: Replays) -> Compared:
    maps = list(range(_MAPS))
    original, variant = (found.typical("sync", place, maps).value for place in (0, 1))
    return Compared(found.speedup(1, maps), original, variant)


def _of_starts(found: Replays) -> Compared:
    original, variant = (found.seconds("start", place).value for place in (0, 1))
    return Compared(found.start_speedup(1), original, variant)
