"""Cycles and branch misses of a variant, from the CPU's own counters through ``perf stat``."""

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from harness.counting.callgrind import Program
from harness.native.stopwatch import Snapshots
from workloads.guest import GuestMemory

_EVENTS = ("cycles:u", "branch-misses:u")
_CALLS = 50  # on each snapshot


@dataclasses.dataclass(frozen=True)
class Counters:
    """What one call on each snapshot took, over all snapshots together."""

    cycles: float
    branch_misses: float


def counters_obstacle() -> str:
    """Say why the CPU's counters cannot be read here; empty if they can."""
    if shutil.which("perf") is None:
        return "perf is not here (Debian: linux-perf)"
    if _stat(["true"]) is None:
        return "this machine does not let perf read the CPU's counters"
    return ""


def read_counters(program: Program, memory: GuestMemory, snapshots: Snapshots) -> Counters | None:
    """Read what calls take, less what the program does besides; None if it cannot be read.

    The same map is called many times, so the CPU's predictor knows small maps by heart.
    """
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        bitmaps = Path(scratch) / "bitmaps"
        bitmaps.write_bytes(np.ascontiguousarray(snapshots.bitmaps).tobytes())
        found = [
            _stat(program.command(bitmaps, memory, len(snapshots), calls))
            for calls in (-_CALLS, _CALLS)
        ]
    if found[0] is None or found[1] is None:
        return None
    cycles, misses = ((after - before) / _CALLS for before, after in zip(*found, strict=True))
    return Counters(cycles, misses)


def _stat(command: list[str]) -> list[float] | None:
    """Return what perf counted of each event, or None if any could not be counted."""
    done = subprocess.run(
        ["perf", "stat", "-x", ",", "-e", ",".join(_EVENTS), *command],
        capture_output=True,
        text=True,
        errors="replace",
    )
    fields = [line.split(",") for line in done.stderr.splitlines()]
    values = [field[0] for field in fields if len(field) > 2 and field[2] in _EVENTS]
    if done.returncode or len(values) != len(_EVENTS) or not all(v.isdigit() for v in values):
        return None
    return [float(value) for value in values]
