"""Trials of what is counted and not timed, which would be on trial there: on captured snapshots.

valgrind counts what code does, whether that is right or not. The trial is a process of its own: it
starts others, which one with threads cannot.
"""

import dataclasses
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.base.processes import (
    ONE_THREAD,
    end_with_parent,
    module_command,
    module_environment,
    run_alone,
)
from harness.native.build import build_stopwatch, build_trial
from harness.native.built_variant import describe
from harness.native.library import Library
from harness.native.operation import OPERATIONS
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import Variant
from harness.trial.trial import Trial
from workloads.captured.snapshots import captured_snapshots
from workloads.conditions import DEFAULT_CONDITIONS

SNAPSHOTS = 3
"""Of each captured trace."""


@dataclasses.dataclass(frozen=True)
class _Tried:
    """A compiled variant that is to be tried."""

    library: str
    operation: str
    map: str
    bound: bool


def find_faults(built: Sequence[tuple[Variant, Library]]) -> list[str]:
    """Try variants, compiled, on a few snapshots of each captured trace.

    Returns:
        What is wrong with each; empty where nothing is.

    Raises:
        BadInput: they cannot be tried.
    """
    tried = [_tried(variant, library) for variant, library in built]
    different = list(dict.fromkeys(tried))
    faults = dict(zip(different, _ask(different) if different else (), strict=True))
    return [faults[one] for one in tried]


def _tried(variant: Variant, library: Library) -> _Tried:
    said = describe(variant, library)
    return _Tried(str(library.path), said.operation, said.map, said.bound)


def _ask(tried: Sequence[_Tried]) -> list[str]:
    """Return what is wrong with each, from a process that tries them."""
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        question, answer = Path(scratch) / "question", Path(scratch) / "answer"
        write_text(question, json.dumps([dataclasses.asdict(one) for one in tried]))
        places = str(os.getpid()), str(question), str(answer)
        _, last = run_alone(
            module_command("harness.trial.apart", *places),
            module_environment(**ONE_THREAD),
            subprocess.Popen.wait,
        )
        try:
            return decode_json(answer.read_bytes(), list[str])
        except (OSError, ValueError):
            raise BadInput(f"variants cannot be tried before they are counted ({last}).") from None


def main(arguments: Sequence[str]) -> int:
    """Try what the file ``QUESTION`` has, for ``PARENT``, and write faults to ``ANSWER``."""
    parent, question, answer = arguments
    end_with_parent(int(parent))
    tried = decode_json(Path(question).read_bytes(), list[_Tried])
    write_text(Path(answer), json.dumps([_fault(one) for one in tried]))
    return 0


def _fault(tried: _Tried) -> str:
    found = _trial(tried.operation).find_fault(Path(tried.library), tried.map, tried.bound)
    if found is None:
        return ""
    condition = DEFAULT_CONDITIONS[found.snapshot // SNAPSHOTS]
    number = found.snapshot % SNAPSHOTS + 1
    return f"{found.what}, in snapshot {number} of {SNAPSHOTS} of {condition} captured"


@functools.cache
def _trial(operation: str) -> Trial:
    toolchain = default_toolchain()
    memory, bitmaps = captured_snapshots(SNAPSHOTS)
    known = OPERATIONS[operation]
    snapshots = make_snapshots(bitmaps, range(len(bitmaps)), known)
    built = build_stopwatch(toolchain).path, build_trial(toolchain).path
    return Trial(*built, known, memory, snapshots)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
