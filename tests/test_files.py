"""Files that appear whole or not at all, and whose errors they are."""

import contextlib
import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.errors import BadInput
from harness.base.files import copy_file, replacing, write_text


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: what is written beyond ``size`` bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def copy(path: Path, text: str) -> None:
    source = path.parent / "source"
    with files_of_at_most(resource.RLIM_INFINITY):
        source.write_text(text)
    try:
        copy_file(source, path)
    finally:
        source.unlink()


def write_archive(path: Path, text: str) -> None:
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("member", text)


@pytest.mark.parametrize("size", [10, 100_000, 10_000_000])
def test_what_cannot_be_written_is_named_and_leaves_what_was_there(
    size: int, tmp_path: Path
) -> None:
    """Whether the last byte fails or the first, while writing or while closing."""
    path = tmp_path / "result.csv"
    path.write_text("before")
    for write in (write_text, write_archive, copy):
        refused = pytest.raises(BadInput, match=r"result\.csv cannot be written")
        with files_of_at_most(size // 2), refused:
            write(path, "x" * size)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.csv"]


def test_an_error_of_something_else_is_not_the_outputs(tmp_path: Path) -> None:

    def write_half(source: Path) -> None:
        with replacing(tmp_path / "result.csv") as file:
            file.write(b"half")
            file.write(source.read_bytes())

    with pytest.raises(FileNotFoundError, match="input"):
        write_half(tmp_path / "input")
    assert not list(tmp_path.iterdir())
