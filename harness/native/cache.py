"""The cache of compiled code: what is kept from one run to the next, and when it is still right."""

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.native.library import Library, content_hash


@dataclasses.dataclass(frozen=True)
class _Kept:
    """What the cache knows of a library: its files there, and what it was made from."""

    library: str
    build_hash: str
    code: str
    placed: tuple[str, ...]
    files: dict[str, str]
    """The hash of every file that was made, by its name, and that the compiler read, by its path,
    those of the system among them."""


def cache_folder() -> Path:
    """Return the folder of compiled code, which is there and can be loaded from.

    Raises:
        BadInput: there is none; the sentence says what to do.
    """
    remedy = "set XDG_CACHE_HOME to a folder"
    try:
        folder = platformdirs.user_cache_path("dirtyscan") / "build"
        if not folder.is_absolute():  # what is left of "~" where nobody's home is known
            raise RuntimeError("no home folder is known")
        folder.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, KeyError) as error:
        raise BadInput(f"compiled variants cannot be kept ({error}); {remedy}.") from None
    except OSError as error:
        raise cannot_be_kept(error) from None
    require_loadable(folder, f"{remedy} that allows it")
    return folder


def require_loadable(folder: Path, remedy: str) -> None:
    """Check that programs in ``folder`` may be loaded.

    Raises:
        BadInput: its file system does not allow it; ``remedy`` says what to do.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise BadInput(f"programs in {folder} cannot be loaded (it is mounted noexec); {remedy}.")


def cannot_be_kept(error: OSError) -> BadInput:
    """Return the error for a cache that cannot be written."""
    where = error.filename or f"the cache or {tempfile.gettempdir()}"
    return BadInput(
        f"compiled variants cannot be kept in {where} ({error.strerror or error}); make room "
        "there, or set XDG_CACHE_HOME to a folder that can be written."
    )


def find_kept(entry: Path) -> Library | None:
    """Return the library of an entry; None if it, or what it was made from, is not as it was."""
    folder = entry.parent
    try:
        kept = decode_json(read_file(entry), _Kept)
        if all(content_hash(folder / name) == content for name, content in kept.files.items()):
            placed = tuple(folder / name for name in kept.placed)
            return Library(folder / kept.library, kept.build_hash, kept.code, placed)
    except (BadInput, ValueError):
        pass  # damaged, or taken away: it is made anew
    return None


def keep(entry: Path, library: Library, read: Iterable[Path]) -> None:
    """Write an entry for ``library``, which lies beside it and was made from the files ``read``."""
    made = (library.path, *library.placed)
    files = {path.name: content_hash(path) for path in made}
    files |= {str(path.absolute()): content_hash(path) for path in read}
    placed = tuple(path.name for path in library.placed)
    kept = _Kept(library.path.name, library.build_hash, library.code, placed, files)
    make_way(entry)
    write_text(entry, json.dumps(dataclasses.asdict(kept)))


def move_into(made: Path, kept: Path) -> None:
    """Move a file that was made to its place in the cache, whole."""
    make_way(kept)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(kept)


def make_way(path: Path) -> None:
    """Remove a folder that has come to be where a file belongs."""
    if path.is_dir():
        shutil.rmtree(path)
