"""Settings: what a project asks of the gate, in ``[tool.dirtyscan.gate]`` of its pyproject."""

import dataclasses
import tomllib
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.gate.requirement import Requirement, parse_requirement

DEFAULT = Path("pyproject.toml")
_TABLE = "[tool.dirtyscan.gate]"


class _Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table, as it is written."""

    variants: tuple[str, ...] = ("multi_page", "recommended")
    toolchains: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


class _Dirtyscan(msgspec.Struct, frozen=True):
    gate: _Gate | None = None


class _Tool(msgspec.Struct, frozen=True):
    dirtyscan: _Dirtyscan = _Dirtyscan()


class _Document(msgspec.Struct, frozen=True):
    tool: _Tool = _Tool()


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a project asks for."""

    path: Path
    variants: tuple[str, ...]
    """Of *count*, that a reference is made of: names, or paths of files."""
    toolchains: tuple[str, ...]
    """Empty for the default toolchain."""
    requirements: tuple[Requirement, ...]


def read_settings(path: Path | None = None) -> Settings:
    """Read the settings in ``path``; without one, those of the current folder's pyproject, if any.

    Raises:
        BadInput: the file was named and is not there, or has no settings; it is no TOML; or a
            setting cannot be read.
    """
    file = path or DEFAULT
    if path is None and not file.exists():
        gate = None
    else:
        gate = _read(file)
        if gate is None and path:
            raise BadInput(f"{path} has no table {_TABLE}; add it, or name another file.")
    gate = gate or _Gate()
    requirements = tuple(parse_requirement(text) for text in gate.requirements)
    return Settings(file, gate.variants, gate.toolchains, requirements)


def _read(path: Path) -> _Gate | None:
    try:
        document = tomllib.loads(read_file(path).decode("utf-8"))
    # A ValueError, whether of TOML, UTF-8, or a number of more digits than Python reads.
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no TOML: {error}; mend that place.") from None
    try:
        return msgspec.convert(document, _Document).tool.dirtyscan.gate
    except msgspec.ValidationError as error:
        settings = ", ".join(_Gate.__struct_fields__)
        raise BadInput(
            f"{path} cannot be read: {error}; {_TABLE} may have lists of strings called {settings}."
        ) from None
