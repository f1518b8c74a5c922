"""The manifest: what a repository says of its variants, in ``dirtyscan.toml`` or its pyproject."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.base.documents import convert, decode_toml
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.base.text import LONGEST_NAME, can_be_shown, shortened
from harness.native.variant import (
    ARCHIVE,
    BINARY,
    OBJECT,
    RUST,
    UNITS,
    Command,
    Package,
    Variant,
    is_built_in,
)

MANIFEST, PYPROJECT = "dirtyscan.toml", "pyproject.toml"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_Texts = tuple[_Text, ...]
_WAYS = ("sources", "cargo", "build")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    variant: dict[str, _Entry] = {}
    gate: GateTable | None = None
    traces: _Texts = ()
    claims: _Texts = ()


class _Tool(msgspec.Struct, frozen=True):
    dirtyscan: _Document | None = None


class _Pyproject(msgspec.Struct, frozen=True):
    """The same in a pyproject, beside what other tools have there."""

    tool: _Tool = _Tool()


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known of a repository's variants."""

    path: Path
    entries: Mapping[str, _Entry]
    gate: GateTable | None
    """What it asks of the gate, as it is written; None if it has no such table."""
    kept: str
    """What tells what Cargo makes of it from what it makes of others; see :class:`Package`."""
    traces: tuple[str, ...] = ()
    """Paths of traces of its own."""
    claims: tuple[str, ...] = ()
    """Paths of files of claims."""

    @property
    def folder(self) -> Path:
        """Where its paths begin."""
        return self.path.parent

    def variant(self, name: str, operation: str) -> Variant:
        """Return the variant called ``name``, which is there.

        Raises:
            BadInput: one of its files is not there.
        """
        entry = self.entries[name]
        made = Variant(name, operation, (), built_in=False, folder=self.folder, symbol=entry.symbol)
        if entry.cargo:
            manifest = self._file(name, f"{entry.cargo}/Cargo.toml")
            example, features = entry.example or "dirtyscan", entry.features
            package = Package(manifest, example, entry.profile, features, self.kept)
            return dataclasses.replace(made, sources=(manifest,), package=package)
        if entry.build:
            command = Command(entry.build, self.folder)
            library = self.folder / entry.library
            return dataclasses.replace(made, sources=(library,), made_by=command)
        sources = tuple(self._file(name, source) for source in entry.sources)
        options = (
            *(f"-I{self.folder / folder}" for folder in entry.include),
            *(f"-D{define}" for define in entry.defines),
            *entry.flags,
        )
        return dataclasses.replace(made, sources=sources, options=options)

    def trace_files(self) -> tuple[Path, ...]:
        """Return the traces of the repository.

        Raises:
            BadInput: one is not there.
        """
        return tuple(self._there("traces", given) for given in self.traces)

    def claim_files(self) -> tuple[Path, ...]:
        """Return the files with the claims of the repository.

        Raises:
            BadInput: one is not there.
        """
        return tuple(self._there("claims", given) for given in self.claims)

    def _file(self, name: str, given: str) -> Path:
        return self._there(f"variant {name}", given)

    def _there(self, what: str, given: str) -> Path:
        path = self.folder / given
        if not path.is_file():
            raise BadInput(f"{what} in {self.path}: there is no {path}; check its path.")
        return path


def find_manifest(start: Path | None = None) -> Manifest | None:
    """Return the manifest of the folder ``start``, or of the nearest above that has one.

    Args:
        start: the current folder if None.

    Raises:
        BadInput: it cannot be read, or says what is not known.
    """
    folder = (start or Path.cwd()).resolve()
    for one in (folder, *folder.parents):
        if found := read_manifest(one):
            return found
        if (one / ".git").exists():
            return None
    return None


def read_manifest(folder: Path, kept: str = "") -> Manifest | None:
    """Return the manifest in ``folder``; None if there is none.

    Args:
        kept: where Cargo keeps what it makes of it; a place of its own if empty.

    Raises:
        BadInput: see :func:`find_manifest`.
    """
    for name in (MANIFEST, PYPROJECT):
        if (folder / name).is_file() and (found := parse_manifest(folder / name, kept)):
            return found
    return None


def parse_manifest(path: Path, kept: str = "") -> Manifest | None:
    """Return what the file ``path`` says; None if it is of something else, as a pyproject may be.

    Raises:
        BadInput: see :func:`find_manifest`.
    """
    text = read_file(path)
    try:
        document = decode_toml(text)
        read = _read(document, path, text.decode())
    except ValueError as error:
        raise BadInput(f"{path} cannot be read: {error}; mend that place.") from None
    if read is None:
        return None
    folder = str(path.absolute().parent)
    own = hashlib.sha256(folder.encode(errors="surrogateescape")).hexdigest()[:16]
    here = path.absolute()
    return Manifest(here, read.variant, read.gate, kept or own, read.traces, read.claims)


def _read(document: Mapping[str, Any], path: Path, text: str) -> _Document | None:
    """Return what a document says, each of its variants checked.

    Raises:
        ValueError: it says what is not known, or of a variant too much or too little.
    """
    try:
        if path.name == MANIFEST:
            read: _Document | None = convert(document, _Document)
        else:
            read = convert(document, _Pyproject).tool.dirtyscan
        for name, entry in read.variant.items() if read else ():
            _check(name, entry)
    except ValueError as error:
        raise ValueError(f"{error}{_line(text, str(error))}{_known(str(error))}") from None
    return read


def _check(name: str, entry: _Entry) -> None:
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
    kind = {"v": _Entry, "g": GateTable}.get(where[:1], _Document)
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
