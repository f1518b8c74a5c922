"""Results on their way: a folder as bytes, and as a folder again."""

import contextlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from harness.base.errors import BadInput

_LEFT_OUT = ("unfinished", ".lock", ".finished")
_DAMAGED = (tarfile.TarError, EOFError, ValueError)


def pack(folder: Path) -> bytes:
    """Return all files of ``folder`` but those of unfinished runs, with no owner and no time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(_LEFT_OUT) for part in name.parts):
                member = tarfile.TarInfo(name.as_posix())
                member.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(member, file)
    return packed.getvalue()


def unpack(packed: bytes, folder: Path) -> None:
    """Write what :func:`pack` made to ``folder``, in the place of what is there.

    Raises:
        BadInput: it is no such thing, or cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _cannot_be_written(folder, error) from None
    try:
        scratch.chmod(0o755)
        _unpack_members(packed, scratch)
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    except OSError as error:
        raise _cannot_be_written(folder, error) from None
    except _DAMAGED as error:
        raise BadInput(f"the results for {folder} are damaged ({error}); measure anew.") from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(scratch)


def _unpack_members(packed: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            file = archive.extractfile(member) if member.isfile() else None
            if file is None or not parts or parts[0] == "/" or ".." in parts:
                raise ValueError(f"{member.name!r} is no file of a result")
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as made:
                shutil.copyfileobj(file, made)


def _cannot_be_written(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        f"{folder} cannot be written ({error.strerror or error}); check the folder's permissions "
        "and its free space, or name another one with --output."
    )
