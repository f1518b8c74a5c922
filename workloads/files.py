"""Files that appear whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from workloads.errors import BadInput


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends well.

    Raises:
        BadInput: the folder cannot be made or written, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror or error}); check the folder's "
            "permissions and its free space, or name another one."
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
