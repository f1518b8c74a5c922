"""A compiled variant: what it says of itself, and its function (ctypes)."""

import ctypes
import dataclasses
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.machine.cpu import cpu_flags
from harness.native.dirty_map import ARRAYS
from harness.native.operation import OPERATIONS
from workloads.errors import BadInput
from workloads.processes import describe_status

ABI = 2


class _Struct(ctypes.Structure):
    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("year", ctypes.c_uint32),
        ("operation", ctypes.c_char_p),
        ("map", ctypes.c_char_p),
        ("summary", ctypes.c_char_p),
        ("requires", ctypes.c_char_p),
        ("paid_in", ctypes.c_char_p),
        ("bound", ctypes.c_uint32),
        ("run", ctypes.c_void_p),
    )


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
    address: int
    """Of its function; 0 if it has none for this architecture."""
    library: ctypes.CDLL
    """Held so that the code stays in memory."""


def load_variant(path: Path) -> LoadedVariant:
    """Load a compiled variant into this process.

    Raises:
        BadInput: the file is not one, or was made for another version of the contract.
    """
    try:
        library = ctypes.CDLL(str(path.resolve()))
        struct = _Struct.in_dll(library, "dirtyscan_variant")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path.name} is not a variant ({error}); it must define dirtyscan_variant as "
            "dirtyscan.h says."
        ) from None
    if struct.abi != ABI:
        raise BadInput(
            f"{path.name} was made for version {struct.abi} of dirtyscan.h and this is "
            f"version {ABI}; compile it with this one."
        )
    if not (struct.operation and struct.map and struct.summary):
        raise BadInput(
            f"{path.name} does not say its operation, map and summary; fill in dirtyscan_variant."
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
            f"{path.name} is for the operation {description.operation!r}, which is not known; "
            f"choose from {', '.join(OPERATIONS)}."
        )
    if description.map not in ARRAYS:
        raise BadInput(
            f"{path.name} is for a {description.map!r}, which is no representation of a dirty map; "
            f"choose from {', '.join(ARRAYS)}."
        )
    return LoadedVariant(description, struct.run or 0, library)


def describe_variant(path: Path) -> Description:
    """Return what a compiled variant says of itself, read in a process of its own.

    What somebody else has built may crash as soon as it is loaded.

    Raises:
        BadInput: see :func:`load_variant`; or it ends the process.
    """
    command = [sys.executable, "-m", "harness.native.loaded_variant", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise BadInput(f"{path.name} hangs while it is loaded; mend it or leave it out.") from None
    if done.returncode == 2:
        raise BadInput(done.stderr.strip())
    if done.returncode:
        raise BadInput(
            f"{path.name} ends the process with {describe_status(done.returncode)} while it is "
            "loaded; mend it or leave it out."
        )
    fields = json.loads(done.stdout.splitlines()[-1])
    return Description(**{**fields, "requires": tuple(fields["requires"])})


def main(arguments: Sequence[str]) -> int:
    """Print the description of the variant in the file ``arguments[0]`` as JSON."""
    try:
        description = load_variant(Path(arguments[0])).description
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(dataclasses.asdict(description)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
