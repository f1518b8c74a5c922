"""A compiled variant: what it says of itself, and its function (ctypes)."""

import contextlib
import ctypes
import dataclasses
import functools
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.processes import describe_status, module_command, module_environment
from harness.machine.cpu import cpu_flags
from harness.native.contract import ABI, READABLE, Functions, VariantStruct, functions_of
from harness.native.dirty_map import ARRAYS
from harness.native.library import content_hash
from harness.native.operation import OPERATIONS

_LIMIT = 60.0
"""Seconds that loading a variant may take."""


@dataclasses.dataclass(frozen=True)
class Description:
    """What a variant says of itself; ``dirtyscan.h`` has the meaning of each field."""

    operation: str
    map: str
    """Its representation of the dirty map."""
    year: int
    summary: str
    requires: tuple[str, ...]
    """CPU flags, as Linux names them."""
    paid_in: str
    """Operations that bear its cost in its place, or nothing."""
    bound: bool
    """Whether it does less than the operation, to show a limit."""
    for_this_architecture: bool

    def obstacle(self) -> str:
        """Say why it cannot run on this machine; empty if it can."""
        if not self.for_this_architecture:
            return f"is not for {platform.machine()}"
        lacking = [flag for flag in self.requires if flag not in cpu_flags()]
        return f"needs {' and '.join(lacking)}, which this CPU lacks" if lacking else ""


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
    try:
        library = ctypes.CDLL(str(path.resolve()))
        struct = VariantStruct.in_dll(library, "dirtyscan_variant")
    except (OSError, ValueError) as error:
        raise BadInput(_obstacle(called, str(error).replace(f"{path.resolve()}: ", ""))) from None
    if struct.abi not in READABLE:
        remedy = "update dirtyscan, or compile it" if struct.abi > ABI else "compile it"
        raise BadInput(
            f"{called} was made for version {struct.abi} of dirtyscan.h, and this dirtyscan reads "
            f"versions {' and '.join(map(str, READABLE))}; {remedy} with the header of this one "
            "('dirtyscan variants --contract' says where it lies)."
        )
    if not (struct.operation and struct.map and struct.summary):
        raise BadInput(
            f"{called} does not say its operation, map and summary; fill in dirtyscan_variant."
        )
    description = Description(
        operation=struct.operation.decode(errors="replace"),
        map=struct.map.decode(errors="replace"),
        year=struct.year,
        summary=struct.summary.decode(errors="replace"),
        requires=tuple((struct.requires or b"").decode(errors="replace").split()),
        paid_in=(struct.paid_in or b"").decode(errors="replace"),
        bound=bool(struct.bound),
        for_this_architecture=bool(struct.run),
    )
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
    functions = functions_of(struct)
    if functions.form not in OPERATIONS[description.operation].forms:
        raise BadInput(
            f"{called} has form {functions.form}, which operation {description.operation} has not; "
            "leave .form out, or set the one that dirtyscan.h has for its signature."
        )
    if bool(functions.prepare) != bool(functions.finish):
        one, other = ("prepare", "finish") if functions.prepare else ("finish", "prepare")
        raise BadInput(f"{called} has .{one} and no .{other}; define both, or neither.")
    return LoadedVariant(description, functions, library)


def _obstacle(called: str, error: str) -> str:
    """Say why a library cannot be loaded, from what the dynamic linker says of it."""
    if "failed to map segment" in error:
        return (
            f"{called} cannot be loaded ({error}: its file system may be mounted noexec); copy it "
            "to another folder."
        )
    missing = re.search(r"undefined symbol: (\w+)", error)
    if missing and missing[1] != "dirtyscan_variant":
        return (
            f"{called} needs {missing[1]}, which none of its files defines; put the file that does "
            "beside it, called NAME.SOMETHING.c if NAME.c needs it."
        )
    return (
        f"{called} is not a variant ({error}); it must define dirtyscan_variant as dirtyscan.h "
        "says."
    )


class _Answer(msgspec.Struct):
    """What the process that loads a variant for its description has to say."""

    description: Description | None = None
    refusal: str = ""


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
        command = module_command("harness.native.loaded_variant", str(path), called, str(answer))
        status = _run(command)
        try:
            said = decode_json(answer.read_bytes(), _Answer)
        except (OSError, ValueError):
            said = _Answer()
    if said.refusal:
        raise BadInput(said.refusal)
    if said.description:
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


def main(arguments: Sequence[str]) -> int:
    """Write what the variant ``PATH``, called ``CALLED``, says of itself to the file ``ANSWER``."""
    path, called, answer = arguments
    try:
        said = _Answer(load_variant(Path(path), called).description)
    except BadInput as error:
        said = _Answer(refusal=str(error))
    Path(answer).write_bytes(msgspec.json.encode(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
