"""Files that appear whole or not at all."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from harness.base.errors import BadInput

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends well.

    Only what goes wrong with this file is reported as such; other errors of the block, which may
    read files while it writes this one, pass through as they are.

    Raises:
        BadInput: the folder cannot be made or written, or the disk is full.
    """
    temporary = None
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with io.BufferedRandom(_Output(descriptor, path)) as file:
            yield file
            file.flush()
            with _writing(path):
                os.fsync(file.fileno())
        with _writing(path):
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        temporary = None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class _Output(io.FileIO):
    """An open file that will be called ``path``."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "w+")
        self._path = path

    def write(self, data: "ReadableBuffer", /) -> int:
        with _writing(self._path):
            return super().write(data)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror or error}); check the folder's "
            "permissions and its free space, or name another one."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as a whole; see :func:`replacing`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def copy_file(source: Path, path: Path) -> None:
    """Copy ``source`` to ``path``, which appears as a whole; see :func:`replacing`.

    Raises:
        BadInput: one cannot be read, or the other not be written.
    """
    data = read_file(source)
    with replacing(path) as file:
        file.write(data)


def read_file(path: Path) -> bytes:
    """Return the content of ``path``.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check its path.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
