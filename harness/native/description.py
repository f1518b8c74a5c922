"""What a compiled variant says of itself, read from it (ctypes).

As a program it reads that for others, who do not want to load what may crash. It is started for
every variant that is somebody's own, so it loads next to nothing of what they work with.
"""

import ctypes
import dataclasses
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.machine.cpu import cpu_flags
from harness.native.contract import ABI, READABLE, Functions, VariantStruct, functions_of


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


class Reading(msgspec.Struct):
    """What there was to read, or why that was refused."""

    description: Description | None = None
    functions: Functions | None = None
    refusal: str = ""


def read_variant(path: Path, called: str) -> tuple[Description, Functions, ctypes.CDLL]:
    """Load a compiled variant into this process, and read what it says of itself.

    Args:
        called: how errors call it.

    Returns:
        That, its functions, and the library, which is to be held as long as they are called.

    Raises:
        BadInput: the file is not one, or was made for another version of the contract.
    """
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
    return description, functions_of(struct), library


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


def main(arguments: Sequence[str]) -> int:
    """Write what the variant ``PATH``, called ``CALLED``, says of itself to the file ``ANSWER``."""
    path, called, answer = arguments
    try:
        description, functions, _ = read_variant(Path(path), called)
        said = Reading(description, functions)
    except BadInput as error:
        said = Reading(refusal=str(error))
    Path(answer).write_bytes(msgspec.json.encode(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
