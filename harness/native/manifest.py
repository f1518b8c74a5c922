"""The manifest: what a repository says of its variants, in ``dirtyscan.toml`` or its pyproject."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

from harness.base.documents import decode_toml
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.native.manifest_tables import (
    MANIFEST,
    PYPROJECT,
    Entry,
    GateTable,
    read_tables,
)
from harness.native.variant import Command, Package, Variant


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known of a repository's variants."""

    path: Path
    entries: Mapping[str, Entry]
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
        read = read_tables(document, path, text.decode())
    except ValueError as error:
        raise BadInput(f"{path} cannot be read: {error}; mend that place.") from None
    if read is None:
        return None
    folder = str(path.absolute().parent)
    own = hashlib.sha256(folder.encode(errors="surrogateescape")).hexdigest()[:16]
    here = path.absolute()
    return Manifest(here, read.variant, read.gate, kept or own, read.traces, read.claims)
