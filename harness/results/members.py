"""The members of a result: its tables and documents, and those of its parts."""

import gzip
import re
import zlib
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.results.result import PYPERF

KINDS = (".csv", ".json")
"""Of the members."""
LARGEST_MEMBER = 64 << 20
_COMPRESSED = ".gz"
"""Behind the name of pyperf's file in results of version 0.1."""
_OTHERS = re.compile(r"\..*|samples|traces|plots|unfinished.*")
"""Folders in that of a result which are no parts of it: what a run keeps, and what it had begun."""


def members_of(folder: Path) -> list[Path]:
    """Return the tables and documents of a result, in the order of their names.

    Those of its parts, such as the runs of a study, lie in folders below it.

    Raises:
        BadInput: there is no such folder, or it holds a link.
    """
    return [path for path in all_members_of(folder) if path.suffix in KINDS]


def all_members_of(folder: Path) -> list[Path]:
    """Return :func:`members_of` with pyperf's file where it is compressed, at its place.

    Raises:
        BadInput: see :func:`members_of`.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no result in {folder}; name the folder of one.")
    parts = [part for part in folder.glob("*/") if not _OTHERS.fullmatch(part.name)]
    found = []
    for path in [*folder.glob("*"), *(path for part in parts for path in part.glob("*"))]:
        if _is_member(path):
            if path.is_symlink() or path.parent.is_symlink():
                raise BadInput(f"{path} is a link; copy what it leads to in its place.")
            if path.is_file():
                found.append(path)
    return sorted(found, key=without_compression)


def _is_member(path: Path) -> bool:
    if path.name == f"{PYPERF}{_COMPRESSED}":
        return path == suite_of(path.parent)
    return path.suffix in KINDS and not path.name.startswith(".")


def suite_of(folder: Path) -> Path:
    """Return where pyperf's file of a result is, or would be: one of version 0.1 is compressed."""
    plain, compressed = folder / PYPERF, folder / f"{PYPERF}{_COMPRESSED}"
    return compressed if compressed.exists() and not plain.exists() else plain


def without_compression(member: Path) -> Path:
    """Return the path that a member has in a pack, where nothing is compressed by itself."""
    return member.with_name(member.name.removesuffix(_COMPRESSED))


def read_member(path: Path) -> bytes:
    """Return the content of a member, which may be compressed.

    Raises:
        BadInput: it cannot be read, or has more than a member may have.
    """
    if path.suffix != _COMPRESSED:
        return read_file(path)
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST_MEMBER + 1)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path} is damaged ({said}); measure anew.") from None
    if len(content) > LARGEST_MEMBER:
        raise BadInput(
            f"{path} has more than {LARGEST_MEMBER >> 20} MiB unpacked, which no member has; "
            "measure anew."
        )
    return content
