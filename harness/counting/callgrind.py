"""Instructions and branches of a variant, counted by valgrind's callgrind: the same every time.

The driver (``driver.c``) calls the variant once on each snapshot; only that call is counted. Branch
mispredictions are those of callgrind's simulated predictor, which is simpler than any CPU of today:
they say where a CPU has a hard time, not how hard.
"""

import dataclasses
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.base.processes import describe_status
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS, Operation
from harness.native.stopwatch import Snapshots
from workloads.guest import GuestMemory

MEASURED = "dirtyscan_measured"
"""The function of the driver in whose calls everything is counted."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a tool has counted in one call on a snapshot, or in several calls together."""

    instructions: int
    conditional_branches: int
    mispredicted_branches: int


@dataclasses.dataclass(frozen=True)
class Program:
    """The driver with what it needs to call one variant."""

    driver: Path
    variant: Path
    operation: Operation = OPERATIONS[DEFAULT_OPERATION]

    def command(self, bitmaps: Path, memory: GuestMemory, snapshots: int, calls: int) -> list[str]:
        """Return the command that calls the variant ``calls`` times on each snapshot.

        With ``calls`` below 0 it does all that goes with so many calls, and leaves them out.
        """
        numbers = (memory.pages, memory.page_size, snapshots, calls)
        paths = (self.driver, self.variant, bitmaps)
        return [str(part) for part in (*paths, *numbers, self.operation.argument)]


def require_valgrind() -> str:
    """Return the path of valgrind.

    Raises:
        BadInput: it is not here.
    """
    path = shutil.which("valgrind")
    if path is None:
        raise BadInput(
            "instructions are counted by valgrind, which is not here; install it ('apt-get install "
            "valgrind')."
        )
    return path


def count_instructions(
    program: Program, memory: GuestMemory, snapshots: Snapshots, branches: bool = True
) -> list[Counts] | str:
    """Count what one call on each snapshot takes; or say why it cannot be counted.

    Args:
        branches: whether to simulate the branch predictor too, which takes twice as long.

    Raises:
        BadInput: valgrind is not here.
    """
    valgrind = require_valgrind()
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        bitmaps, output = Path(scratch) / "bitmaps", Path(scratch) / "callgrind.out"
        bitmaps.write_bytes(np.ascontiguousarray(snapshots.bitmaps).tobytes())
        options = [
            "--tool=callgrind", f"--branch-sim={'yes' if branches else 'no'}",
            "--collect-atstart=no", f"--toggle-collect={MEASURED}", f"--dump-after={MEASURED}",
            f"--callgrind-out-file={output}",
        ]  # fmt: skip
        command = program.command(bitmaps, memory, len(snapshots), 1)
        done = subprocess.run(
            [valgrind, *options, *command], capture_output=True, text=True, errors="replace"
        )
        if done.returncode == -signal.SIGILL:
            return "valgrind does not know its instructions"
        if done.returncode:
            return f"valgrind ended with {describe_status(done.returncode)}"
        # It numbers what it writes, and writes after each call.
        parts = [output.with_name(f"{output.name}.{part + 1}") for part in range(len(snapshots))]
        return [_parse(part.read_text(encoding="utf-8")) for part in parts]


def total(counts: Sequence[Counts]) -> Counts:
    """Return the sum of ``counts``."""
    return Counts(
        sum(one.instructions for one in counts),
        sum(one.conditional_branches for one in counts),
        sum(one.mispredicted_branches for one in counts),
    )


def _parse(text: str) -> Counts:
    """Read the totals of a callgrind file."""
    events = _line(text, "events")
    totals = dict(zip(events, map(int, _line(text, "totals")), strict=False))
    return Counts(totals["Ir"], totals.get("Bc", 0), totals.get("Bcm", 0))


def _line(text: str, name: str) -> list[str]:
    found = re.search(rf"^{name}: (.*)$", text, re.MULTILINE)
    if found is None:
        raise BadInput(f"callgrind's output has no {name}; use valgrind 3.15 or newer.")
    return found[1].split()
