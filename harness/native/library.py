"""What was compiled: a library or a program, at every placement where that was asked for."""

import dataclasses
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.base.files import read_file


@dataclasses.dataclass(frozen=True)
class Library:
    """A shared object or a program, and the hash of all that it was made from."""

    path: Path
    build_hash: str
    """Of the compiler, its flags and environment, every file that it read, and what it made."""
    code: str = ""
    """What stands for its functions, wherever they lie; empty where they cannot be told apart."""
    placed: tuple[Path, ...] = ()
    """The same at each of the placements that were asked for (:mod:`harness.native.placement`);
    empty if that was not asked for, or cannot be done."""
    unplaced: str = ""
    """Why that cannot be done, if it was asked for."""

    def has_code_of(self, other: "Library") -> bool:
        """Say whether both were compiled to the same functions, wherever these lie."""
        if self.path == other.path:
            return True
        if self.code and other.code:
            return self.code == other.code
        return _machine_code(self.path) == _machine_code(other.path)


def content_hash(path: Path) -> str:
    """Return what stands for the content of a file."""
    return hashlib.sha256(read_file(path)).hexdigest()


def _machine_code(library: Path) -> bytes:
    """Return the bytes of ``library`` without the names in it, where binutils can take them out."""
    objcopy = shutil.which("objcopy")
    if objcopy is None:
        return read_file(library)
    options = ("--strip-all", "--remove-section=.note.gnu.build-id")
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        bare = Path(scratch) / "bare"
        done = subprocess.run([objcopy, *options, str(library), str(bare)], capture_output=True)
        return read_file(library if done.returncode else bare)
