"""Compiling C and Rust when the benchmark runs, and keeping what comes with dirtyscan.

What a user brings may include whatever it likes, and a header that appears earlier on the search
path is in no list of dependencies. A wrong guess would time yesterday's code, and a compilation
takes a second; so only what comes with dirtyscan, of which all files are known, is kept from one
run to the next.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import platformdirs

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.native.compiler import HEEDED, listed_dependencies, run_compiler
from harness.native.toolchain import FORM, Toolchain, rust_companion
from harness.native.variant import CONTRACT, RUST, RUST_CONTRACT, VARIANTS, Variant

_FOLDER = Path(__file__).parent
STOPWATCH = (_FOLDER / "stopwatch.c", _FOLDER / "operations.c")
DRIVER = (_FOLDER / "driver.c", *STOPWATCH)
_HEADERS = (_FOLDER / "operations.h", VARIANTS / CONTRACT)
_TRIAL_FOLDER = _FOLDER.parent / "trial"
TRIAL = (_TRIAL_FOLDER / "trial.c", _TRIAL_FOLDER / "writers.c")

_SHARED, _PROGRAM = ("-shared", "-pthread"), ("-ldl",)


@dataclasses.dataclass(frozen=True)
class Library:
    """A shared object or a program, and the hash of all that it was made from."""

    path: Path
    build_hash: str
    """Of the compiler, its flags and environment, every file that it read, and what it made."""


@dataclasses.dataclass(frozen=True)
class _Job:
    """What is to be compiled."""

    name: str
    sources: tuple[Path, ...]
    toolchain: Toolchain
    form: tuple[str, ...] = _SHARED
    root: Path = VARIANTS
    """The folder of the contract."""


@dataclasses.dataclass(frozen=True)
class _Kept:
    """What the cache knows of a library: its name there, its content, and what it was made from."""

    library: str
    content: str
    build_hash: str
    read: dict[str, str]
    """Every file that the compiler read, those of the system among them, with its hash."""


def build_variant(variant: Variant, toolchain: Toolchain) -> Library:
    """Compile ``variant``; one that comes with dirtyscan only if it was not before.

    Raises:
        BadInput: the compiler refuses; the sentence has what it said.
    """
    if variant.is_binary:
        path = variant.sources[0]
        return Library(path, _content(path))
    chosen = compiling_toolchain(variant, toolchain)
    name = f"{variant.operation}-{variant.sources[0].stem}"
    job = _Job(name, variant.sources, chosen, root=variant.root)
    if not variant.built_in:
        return _compile_into(_cache(), job)[0]
    return _kept_or_built(job, variant.dependencies)


def compiling_toolchain(variant: Variant, toolchain: Toolchain) -> Toolchain:
    """Return what compiles ``variant`` where C is compiled with ``toolchain``.

    Raises:
        BadInput: it is in Rust, and rustc is not on this machine.
    """
    return rust_companion(toolchain) if variant.is_rust else toolchain


def build_stopwatch(toolchain: Toolchain) -> Library:
    """Compile the timed loop; see :func:`build_variant`."""
    return _kept_or_built(_Job("stopwatch", STOPWATCH, toolchain), (*STOPWATCH, *_HEADERS))


def build_trial(toolchain: Toolchain) -> Library:
    """Compile the trial's part in C; see :func:`build_variant`."""
    return _kept_or_built(_Job("trial", TRIAL, toolchain), (*TRIAL, VARIANTS / CONTRACT))


def build_driver(toolchain: Toolchain) -> Library:
    """Compile the driver, a program; see :func:`build_variant`."""
    return _kept_or_built(_Job("driver", DRIVER, toolchain, _PROGRAM), (*DRIVER, *_HEADERS))


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


def require_loadable(folder: Path, remedy: str) -> None:
    """Check that programs in ``folder`` may be loaded.

    Raises:
        BadInput: its file system does not allow it; ``remedy`` says what to do.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise BadInput(f"programs in {folder} cannot be loaded (it is mounted noexec); {remedy}.")


def _cache() -> Path:
    """Return the folder of compiled code, which is there and can be loaded from."""
    remedy = "set XDG_CACHE_HOME to a folder"
    try:
        folder = platformdirs.user_cache_path("dirtyscan") / "build"
        if not folder.is_absolute():  # what is left of "~" where nobody's home is known
            raise RuntimeError("no home folder is known")
        folder.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, KeyError) as error:
        raise BadInput(f"compiled variants cannot be kept ({error}); {remedy}.") from None
    except OSError as error:
        raise _cannot_be_kept(error) from None
    require_loadable(folder, f"{remedy} that allows it")
    return folder


def _cannot_be_kept(error: OSError) -> BadInput:
    where = error.filename or "the cache"
    return BadInput(
        f"compiled variants cannot be kept in {where} ({error.strerror or error}); make room "
        "there, or set XDG_CACHE_HOME to a folder that can be written."
    )


def _kept_or_built(job: _Job, files: Sequence[Path]) -> Library:
    """Return what was made of the same ``files`` in the same way before, or make it.

    Where the environment sends the compiler to other folders, what lies there may have changed.
    """
    folder = _cache()
    if any(name in os.environ for name in HEEDED):
        return _compile_into(folder, job)[0]
    key = _hash(job.toolchain, files)
    entry = folder / f"{job.name}-{job.toolchain.name}-{key[:16]}.json"
    if found := _find_kept(folder, entry):
        return found
    library, read = _compile_into(folder, job)
    made_from = {str(path): _content(path) for path in read}
    kept = _Kept(library.path.name, _content(library.path), library.build_hash, made_from)
    _make_way(entry)
    write_text(entry, json.dumps(dataclasses.asdict(kept)))
    return library


def _find_kept(folder: Path, entry: Path) -> Library | None:
    """Return the library of an entry; None if it, or what it was made from, is not as it was."""
    try:
        kept = decode_json(read_file(entry), _Kept)
        path = folder / kept.library
        files = {str(path): kept.content, **kept.read}
        if all(_content(Path(name)) == content for name, content in files.items()):
            return Library(path, kept.build_hash)
    except (BadInput, ValueError):
        pass  # damaged, or taken away: it is made anew
    return None


def _content(path: Path) -> str:
    return hashlib.sha256(read_file(path)).hexdigest()


def _hash(toolchain: Toolchain, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    compiler = Path(shutil.which(toolchain.command[0]) or toolchain.command[0]).resolve()
    parts = [str(compiler), *toolchain.command, toolchain.version, *FORM, *toolchain.flags]
    parts += [f"{name}={os.environ[name]}" for name in HEEDED if name in os.environ]
    for part in parts:
        digest.update(part.encode(errors="surrogateescape") + b"\0")
    for path in files:
        digest.update(path.name.encode(errors="surrogateescape") + b"\0")
        digest.update(_content(path).encode())
    return digest.hexdigest()


def _compile_into(folder: Path, job: _Job) -> tuple[Library, list[Path]]:
    """Compile into ``folder``, under a name that stands for the content.

    Returns:
        The library, and every file that the compiler says it read.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{job.name[:40]}-", dir=folder) as scratch:
            made, read = _compile(job, Path(scratch))
            content = _content(made)
            # An assembler reads files (.incbin) that no compiler lists.
            build_hash = hashlib.sha256(
                f"{_hash(job.toolchain, read)} {content}".encode()
            ).hexdigest()
            suffix = ".so" if job.form is _SHARED else ""
            name = f"{job.name[:100]}-{job.toolchain.name}-{content[:16]}{suffix}"
            _make_way(folder / name)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.replace(folder / name)
    except OSError as error:
        raise _cannot_be_kept(error) from None
    return Library(folder / name, build_hash), read


def _make_way(path: Path) -> None:
    """Remove a folder that has come to be where a file belongs."""
    if path.is_dir():
        shutil.rmtree(path)


def _compile(job: _Job, scratch: Path) -> tuple[Path, list[Path]]:
    """Compile every unit by itself, so that nothing is inlined across units, and link them.

    Returns:
        What was made, and every file that the compiler says it read.
    """
    library, toolchain = scratch / "linked", job.toolchain
    if job.sources[0].suffix == RUST:
        return library, _compile_rust(job, library)
    read: list[Path] = []
    objects = []
    compiler = [*toolchain.command, *FORM, *toolchain.flags]
    for number, source in enumerate(job.sources):
        made = scratch / f"{number}.o"
        rule = made.with_suffix(".d")
        # An absolute path is never taken for an option.
        unit = ["-MD", "-MF", str(rule), f"-I{job.root}", "-c", str(source.absolute())]
        run_compiler([*compiler, *unit, "-o", str(made)], made, source, toolchain.name)
        read += listed_dependencies(rule.read_text(errors="surrogateescape"))
        objects.append(made)
    linked = [*compiler, *map(str, objects), *job.form, "-o", str(library)]
    run_compiler(linked, library, job.sources[0], toolchain.name)
    return library, read


def _compile_rust(job: _Job, library: Path) -> list[Path]:
    source, rule = job.sources[0], library.with_suffix(".d")
    emitted = f"--emit=link={library},dep-info={rule}"
    command = [*job.toolchain.command, *job.toolchain.flags, str(source.absolute()), emitted]
    contract = str(job.root / RUST_CONTRACT)
    run_compiler(command, library, source, job.toolchain.name, DIRTYSCAN_RS=contract)
    return listed_dependencies(rule.read_text(errors="surrogateescape"))
