"""Whether somebody shares the core, by what the original takes now and a moment later."""

import itertools
import time

import numpy as np

from harness.base.errors import BadInput
from harness.machine.state import SLOWED_SHARE, Fact
from harness.native.build import build_stopwatch, build_variant
from harness.native.loaded_variant import LoadedVariant, load_variant
from harness.native.operation import OPERATIONS
from harness.native.placement import CLASSES, DRAWN
from harness.native.stopwatch import Snapshots, Stopwatch, make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import built_in_variants
from harness.statistics.interval import Seconds
from harness.statistics.steadiness import slowed_rounds
from workloads.guest import GuestMemory

SECONDS = 2.0
"""Neighbours come and go within seconds, so one that is there all along is not seen."""
_CALLS = 40
"""Of a round, some 20 ms."""
_RUN = 4096
"""Pages: long, so that what the predictor knows of the map decides nothing."""


def inspect_core(seconds: float = SECONDS) -> Fact:
    """Return whether the original takes about the same for ``seconds``, at all classes alike."""
    effect = (
        "a neighbour on the core takes a part of its front end, which code meets by where it lies; "
        "speedups are those of a shared core then"
    )
    remedy = "wait, or use a host whose cores nobody shares"
    try:
        times = _time_original(seconds)
    except BadInput as error:
        return Fact("neighbours", f"not visible ({str(error).removesuffix('.')})", True, "", "")
    (slowed,) = slowed_rounds([times], [range(CLASSES)])
    share = float(slowed.mean())
    state = f"{share:.0%} of {len(slowed)} rounds of the original slowed by a quarter or more"
    return Fact("neighbours", state, share <= SLOWED_SHARE, effect, remedy)


def _time_original(seconds: float) -> Seconds:
    """Return seconds of one call, (rounds, classes, calls).

    Raises:
        BadInput: it cannot be compiled.
    """
    toolchain, operation = default_toolchain(), OPERATIONS["count"]
    library = build_variant(
        built_in_variants(operation.name)[operation.original], toolchain, placed=DRAWN
    )
    variants = [load_variant(path) for path in library.placed[:CLASSES]]
    memory = GuestMemory()
    dirty = np.arange(memory.pages) // _RUN % 2 == 0
    snapshots = make_snapshots([np.packbits(dirty, bitorder="little")], [0])
    stopwatch = Stopwatch(
        build_stopwatch(toolchain).path, memory, [operation.original_map], operation
    )
    rounds = []
    end = time.monotonic() + seconds
    for number in itertools.count():
        if number > 1 and time.monotonic() > end:
            break
        rounds.append([_call_each(stopwatch, snapshots, variants) for _ in range(_CALLS)])
    return np.array(rounds).transpose(0, 2, 1)


def _call_each(
    stopwatch: Stopwatch, snapshots: Snapshots, variants: list[LoadedVariant]
) -> Seconds:
    """Return the seconds that a call takes at each class."""
    order = np.arange(len(variants), dtype=np.uint16)[None]
    once = [1] * len(variants)
    elapsed, _ = stopwatch.time_pass(snapshots, variants, once, np.zeros(1, np.intp), order)
    return np.asarray(elapsed[:, 0] * 1e-9)
