"""Compiling C when the benchmark runs, and keeping the result for the next time."""

import dataclasses
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from harness.native.toolchain import FORM, Toolchain, rust_companion
from harness.native.variant import CONTRACT, RUST, RUST_CONTRACT, VARIANTS, Variant
from workloads.errors import BadInput
from workloads.files import read_file

_FOLDER = Path(__file__).parent
STOPWATCH, OPERATIONS = _FOLDER / "stopwatch.c", _FOLDER / "operations.c"
DRIVER = _FOLDER / "driver.c"
_TRIAL_FOLDER = _FOLDER.parent / "trial"
TRIAL, WRITERS = _TRIAL_FOLDER / "trial.c", _TRIAL_FOLDER / "writers.c"

_SHARED, _PROGRAM = ("-shared", "-pthread"), ("-ldl",)


@dataclasses.dataclass(frozen=True)
class Library:
    """A shared object, and the hash of all that it was made from."""

    path: Path
    build_hash: str


def build_variant(variant: Variant, toolchain: Toolchain) -> Library:
    """Compile ``variant``, unless the same source was compiled the same way before.

    Raises:
        BadInput: the compiler refuses; the sentence has its first error.
    """
    if variant.is_binary:
        path = variant.sources[0]
        return Library(path, hashlib.sha256(read_file(path)).hexdigest())
    name = f"{variant.operation}-{variant.sources[0].stem}"
    chosen = rust_companion(toolchain) if variant.is_rust else toolchain
    return _build(name, variant.sources, variant.dependencies, chosen, root=variant.root)


def machine_code(library: Library) -> bytes:
    """Return the bytes of ``library`` without the names in it, where binutils can take them out."""
    objcopy = shutil.which("objcopy")
    if objcopy is None:
        return read_file(library.path)
    options = ("--strip-all", "--remove-section=.note.gnu.build-id")
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        bare = Path(scratch) / "bare"
        done = subprocess.run(
            [objcopy, *options, str(library.path), str(bare)], capture_output=True
        )
        return read_file(library.path if done.returncode else bare)


def build_stopwatch(toolchain: Toolchain) -> Library:
    """Compile the timed loop; see :func:`build_variant`."""
    sources = (STOPWATCH, OPERATIONS)
    headers = (OPERATIONS.with_suffix(".h"), VARIANTS / CONTRACT)
    return _build("stopwatch", sources, (*sources, *headers), toolchain)


def build_trial(toolchain: Toolchain) -> Library:
    """Compile the trial's part in C; see :func:`build_variant`."""
    sources = (TRIAL, WRITERS)
    return _build("trial", sources, (*sources, VARIANTS / CONTRACT), toolchain)


def build_driver(toolchain: Toolchain) -> Library:
    """Compile the driver, a program; see :func:`build_variant`."""
    depends = (DRIVER, OPERATIONS.with_suffix(".h"), VARIANTS / CONTRACT)
    return _build("driver", (DRIVER,), depends, toolchain, _PROGRAM)


def _build(
    name: str,
    sources: Sequence[Path],
    dependencies: Sequence[Path],
    toolchain: Toolchain,
    form: Sequence[str] = _SHARED,
    root: Path = VARIANTS,
) -> Library:
    build_hash = _build_hash(dependencies, toolchain)
    folder = platformdirs.user_cache_path("dirtyscan") / "build"
    suffix = ".so" if form is _SHARED else ""
    library = folder / f"{name}-{toolchain.name}-{build_hash[:16]}{suffix}"
    if not library.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as scratch:
                made = _compile(name, sources, toolchain, Path(scratch), form, root)
                made.replace(library)
        except OSError as error:
            raise BadInput(
                f"compiled variants cannot be kept in {folder} ({error.strerror or error}); make "
                "room there, or set XDG_CACHE_HOME to a folder that can be written."
            ) from None
    return Library(library, build_hash)


def _build_hash(dependencies: Sequence[Path], toolchain: Toolchain) -> str:
    digest = hashlib.sha256()
    for part in (*toolchain.command, toolchain.version, *FORM, *toolchain.flags):
        digest.update(part.encode() + b"\0")
    for path in dependencies:
        digest.update(path.name.encode() + b"\0" + read_file(path) + b"\0")
    return digest.hexdigest()


def _compile(
    name: str,
    sources: Sequence[Path],
    toolchain: Toolchain,
    scratch: Path,
    form: Sequence[str],
    root: Path,
) -> Path:
    """Compile every unit by itself, so that nothing is inlined across units, and link them."""
    library = scratch / f"{name}.linked"
    if sources[0].suffix == RUST:
        command = [*toolchain.command, *toolchain.flags, str(sources[0]), "-o", str(library)]
        _run(command, sources[0], toolchain, root)
        return library
    objects = [scratch / f"{source.stem}.o" for source in sources]
    compiler = [*toolchain.command, *FORM, *toolchain.flags]
    for source, made in zip(sources, objects, strict=True):
        command = [*compiler, f"-I{root}", "-c", str(source), "-o", str(made)]
        _run(command, source, toolchain, root)
    linked = [*compiler, *map(str, objects), *form, "-o", str(library)]
    _run(linked, sources[0], toolchain, root)
    return library


def _run(command: Sequence[str], source: Path, toolchain: Toolchain, root: Path) -> None:
    environment = {**os.environ, "DIRTYSCAN_RS": str(root / RUST_CONTRACT)}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        said = (lines or done.stderr.splitlines() or [f"exit status {done.returncode}"])[0].strip()
        raise BadInput(f"{source.name} does not compile with {toolchain.name}: {said}")
