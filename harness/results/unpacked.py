"""A pack that is unpacked for as long as it is looked at."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.results.pack import Pack, read_pack


@contextlib.contextmanager
def unpacked(pack: Pack, path: Path) -> Iterator[Path]:
    """Give a folder with the members of the pack at ``path``; it is gone after the block.

    Nobody knows that folder, so what is wrong with a member is said of the pack.

    Raises:
        BadInput: the folder cannot be written, or whatever of this kind the block raises.
    """
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        folder = Path(scratch) / pack.manifest.name
        try:
            pack.write(folder)
            yield folder
        except BadInput as error:
            raise BadInput(of_pack(str(error), folder, path)) from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give the folder of the result at ``path``: its own, or one that a pack is unpacked into.

    Raises:
        BadInput: see :func:`harness.results.pack.read_pack` and :func:`unpacked`.
    """
    if path.is_file():
        with unpacked(read_pack(path), path) as folder:
            yield folder
    else:
        yield path


def of_pack(said: str, folder: Path, path: Path) -> str:
    """Return a sentence about ``folder`` as one about the pack at ``path``."""
    return said.replace(f"{folder}/", f"{path}: ").replace(str(folder), f"pack {path}")
