"""The tables of a manifest as they are written: what may be in them, and where it is not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.base.documents import convert
from harness.base.text import LONGEST_NAME, can_be_shown, shortened
from harness.native.variant import ARCHIVE, BINARY, OBJECT, RUST, UNITS, is_built_in

MANIFEST, PYPROJECT = "dirtyscan.toml", "pyproject.toml"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_Texts = tuple[_Text, ...]
_WAYS = ("sources", "cargo", "build")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ``[variant.NAME]`` table, as it is written."""

    sources: _Texts = ()
    include: _Texts = ()
    defines: _Texts = ()
    flags: _Texts = ()
    cargo: _Text = ""
    example: _Text = ""
    profile: _Text = "release"
    features: _Texts = ()
    build: _Text = ""
    library: _Text = ""
    symbol: Annotated[str, msgspec.Meta(pattern=r"\A([A-Za-z_]\w*)?\Z")] = ""
    checks: _Text = ""
    """The variant of dirtyscan's own that stands for it."""
    published: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] = ""
    """Where that code is published, such as a project, its revision and a file."""


class GateTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[gate]`` table, as it is written; the gate says what it means."""

    variants: _Texts = ()
    toolchains: _Texts = ()
    requirements: _Texts = ()
    tolerances: _Texts = ()


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    variant: dict[str, Entry] = {}
    gate: GateTable | None = None
    traces: _Texts = ()
    claims: _Texts = ()


class _Tool(msgspec.Struct, frozen=True):
    dirtyscan: Document | None = None


class _Pyproject(msgspec.Struct, frozen=True):
    """The same in a pyproject, beside what other tools have there."""

    tool: _Tool = _Tool()


def read_tables(document: Mapping[str, Any], path: Path, text: str) -> Document | None:
    """Return what a document says, each of its variants checked.

    Raises:
        ValueError: it says what is not known, or of a variant too much or too little.
    """
    try:
        if path.name == MANIFEST:
            read: Document | None = convert(document, Document)
        else:
            read = convert(document, _Pyproject).tool.dirtyscan
        for name, entry in read.variant.items() if read else ():
            _check(name, entry)
    except ValueError as error:
        raise ValueError(f"{error}{_line(text, str(error))}{_known(str(error))}") from None
    return read


def _check(name: str, entry: Entry) -> None:
    """Check what a table must have to be a variant.

    Raises:
        ValueError: it has it not.
    """
    where = f"[variant.{shortened(name)}]"
    if not can_be_shown(name) or len(name) > LONGEST_NAME or not re.fullmatch(r"[\w.+-]+", name):
        raise ValueError(f"{where} needs a name of letters, digits and . _ + -")
    if is_built_in(name):
        raise ValueError(f"{where} is called as a variant of dirtyscan's own is; call it otherwise")
    if entry.checks and not is_built_in(entry.checks):
        raise ValueError(
            f"{where} checks {shortened(entry.checks)!r}, no variant of dirtyscan's own"
        )
    if entry.published and not entry.checks:
        raise ValueError(f"{where} says where it is published, and not which variant it checks")
    if not can_be_shown(entry.published):
        raise ValueError(f"{where} has characters in published that cannot be shown")
    ways = [way for way in _WAYS if getattr(entry, way)]
    if len(ways) != 1:
        raise ValueError(
            f"{where} has {' and '.join(ways) or 'nothing to compile'}; give sources, or cargo "
            "(a folder), or build (a command)"
        )
    if entry.build and Path(entry.library).suffix not in (BINARY, OBJECT, ARCHIVE):
        raise ValueError(f"{where} has a build and no library, a .so, .o or .a that it makes")
    if entry.symbol and (entry.cargo or Path(entry.library).suffix == BINARY):
        raise ValueError(
            f"{where} has a symbol, by which one of several is linked, and a library that is "
            "linked already; give an archive (.a) or an object file (.o)"
        )
    known = (*UNITS, RUST) if len(entry.sources) == 1 else UNITS
    for source in entry.sources:
        if Path(source).suffix not in known:
            raise ValueError(f"{where} has {source!r} in sources, and takes {', '.join(known)}")


def _known(error: str) -> str:
    """Return what is known where an error is about a field that is not; empty otherwise."""
    if "unknown field" not in error:
        return ""
    where = error.rpartition(" in ")[2].removeprefix("tool.dirtyscan").removeprefix(".")
    kind = {"v": Entry, "g": GateTable}.get(where[:1], Document)
    return f"; known are {', '.join(kind.__struct_fields__)}"


def _line(text: str, error: str) -> str:
    """Return the number of the line that an error is about, in brackets; empty if unknown."""
    unknown = re.search(r"unknown field (\S+)", error)
    for word in [unknown[1]] if unknown else re.findall(r"[\w+-]+", error)[::-1]:
        for number, line in enumerate(text.splitlines(), start=1):
            key = rf"\s*([\w.-]+\.)?[\"']?{re.escape(word)}[\"']?\s*="
            table = rf"\s*\[[^\]]*\b{re.escape(word)}\b[^\]]*\]"
            if re.match(key, line) or re.match(table, line):
                return f" (line {number})"
    return ""
