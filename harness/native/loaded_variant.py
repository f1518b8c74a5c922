"""A compiled variant: what it says of itself, and its function (ctypes)."""

import contextlib
import ctypes
import dataclasses
import functools
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.processes import describe_status, module_command, module_environment
from harness.native.contract import Functions
from harness.native.description import Description, Reading, read_variant
from harness.native.dirty_map import ARRAYS
from harness.native.library import content_hash
from harness.native.operation import OPERATIONS

_LIMIT = 60.0
"""Seconds that loading a variant may take."""


@dataclasses.dataclass(frozen=True)
class LoadedVariant:
    """A variant that can be called."""

    description: Description
    functions: Functions
    library: ctypes.CDLL
    """Held so that the code stays in memory."""

    @property
    def address(self) -> int:
        """Where its function lies; 0 if it has none for this architecture."""
        return self.functions.run


def load_variant(path: Path, called: str = "") -> LoadedVariant:
    """Load a compiled variant into this process.

    Args:
        called: how errors call it, if not by the name of the file ``path``.

    Raises:
        BadInput: the file is not one, or was made for another version of the contract.
    """
    called = called or path.name
    description, functions, library = read_variant(path, called)
    _check(description, functions, called)
    return LoadedVariant(description, functions, library)


def _check(description: Description, functions: Functions, called: str) -> None:
    if description.operation not in OPERATIONS:
        raise BadInput(
            f"{called} is for the operation {description.operation!r}, which is not known; "
            f"choose from {', '.join(OPERATIONS)}."
        )
    if description.map not in ARRAYS:
        raise BadInput(
            f"{called} is for a {description.map!r}, which is no representation of a dirty map; "
            f"choose from {', '.join(ARRAYS)}."
        )
    if functions.form not in OPERATIONS[description.operation].forms:
        raise BadInput(
            f"{called} has form {functions.form}, which operation {description.operation} has not; "
            "leave .form out, or set the one that dirtyscan.h has for its signature."
        )
    if bool(functions.prepare) != bool(functions.finish):
        one, other = ("prepare", "finish") if functions.prepare else ("finish", "prepare")
        raise BadInput(f"{called} has .{one} and no .{other}; define both, or neither.")


def describe_variant(path: Path, called: str = "") -> Description:
    """Return what a compiled variant says of itself, read in a process of its own.

    What somebody else has built may crash as soon as it is loaded, print, or leave processes
    behind. So the answer comes in a file, nothing that is printed is read, and all processes end.

    Args:
        called: how errors call it, if not by the name of the file ``path``.

    Raises:
        BadInput: see :func:`load_variant`; or it ends the process.
    """
    return _described(path, called or path.name, content_hash(path))


@functools.cache  # a gate asks for that of each side again
def _described(path: Path, called: str, _content: str) -> Description:
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        answer = Path(scratch) / "answer"
        command = module_command("harness.native.description", str(path), called, str(answer))
        status = _run(command)
        try:
            said = decode_json(answer.read_bytes(), Reading)
        except (OSError, ValueError):
            said = Reading()
    if said.refusal:
        raise BadInput(said.refusal)
    if said.description and said.functions:
        _check(said.description, said.functions, called)
        return said.description
    how = "hangs" if status is None else f"ends the process with {describe_status(status)}"
    raise BadInput(f"{called} {how} while it is loaded; mend it or leave it out.")


def _run(command: Sequence[str]) -> int | None:
    """Return how ``command`` ended, or None if it took too long; nothing of it goes on."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=module_environment(),
        start_new_session=True,
    ) as process:
        try:
            return process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
