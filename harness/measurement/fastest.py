"""The fastest of several variants on this CPU: a quick trial, kept from one run to the next.

Which vector instructions count fastest depends on the CPU, and not only by which it has: on one
with AVX-512, a variant with VNNI was seen to be twice as slow as one without.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import numpy as np

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.machine.cpu import cpu_caches, cpu_flags, cpu_generation, cpu_model
from harness.measurement.rounds import draw_order
from harness.native.build import build_stopwatch
from harness.native.built_variant import BuiltVariant
from harness.native.cache import cache_folder
from harness.native.loaded_variant import load_variant
from harness.native.operation import Operation
from harness.native.stopwatch import Stopwatch, make_snapshots
from harness.native.toolchain import default_toolchain
from workloads.captured.snapshots import captured_snapshots

_SNAPSHOTS, _ROUNDS = 3, 15
"""Snapshots of each captured trace, and passes over them."""
_SEED = 0
_TIE = 1.02
"""So many times as long is as good: then the first is taken, and not what chance prefers."""


@dataclasses.dataclass(frozen=True)
class _Found:
    """What the cache has of a trial."""

    fastest: str


def fastest(built: Sequence[BuiltVariant], operation: Operation) -> str:
    """Return the name of the variant that takes the least time on captured traces.

    Args:
        built: variants of one representation that come with dirtyscan and can run here, of which
            an earlier one is preferred if it makes no difference.
    """
    if len(built) == 1:
        return built[0].variant.name
    # Hypervisors call several generations by one name.
    cpu = [cpu_model(), cpu_generation(), *cpu_flags(), *cpu_caches().values()]
    made_from = " ".join([*cpu, *(one.library.build_hash for one in built)])
    key = hashlib.sha256(made_from.encode()).hexdigest()[:16]
    entry = cache_folder() / f"fastest-{operation.name}-{key}.json"
    names = [one.variant.name for one in built]
    try:
        found = decode_json(read_file(entry), _Found).fastest
        if found in names:
            return found
    except (BadInput, ValueError):
        pass  # nobody has asked yet, or it is damaged
    times = _total_times(built, operation)
    found = next(name for name, one in zip(names, times, strict=True) if one <= _TIE * min(times))
    write_text(entry, json.dumps(dataclasses.asdict(_Found(found))))
    return found


def _total_times(built: Sequence[BuiltVariant], operation: Operation) -> list[float]:
    """Return the typical time of each on all snapshots, timed in turns."""
    memory, bitmaps = captured_snapshots(_SNAPSHOTS)
    snapshots = make_snapshots(bitmaps, range(len(bitmaps)), operation)
    stopwatch = Stopwatch(
        build_stopwatch(default_toolchain()).path,
        memory,
        [one.description.map for one in built],
        operation,
    )
    variants = [load_variant(one.library.path) for one in built]
    random = np.random.default_rng(_SEED)
    rounds = []
    for _ in range(_ROUNDS):
        stopwatch.move_arrays(random)
        visited = random.permutation(len(snapshots))
        order = draw_order([0] * len(built), len(visited), random)
        elapsed, _ = stopwatch.time_pass(snapshots, variants, [1] * len(built), visited, order)
        rounds.append(elapsed)
    return [float(total) for total in np.median(rounds, axis=0).sum(axis=1)]
