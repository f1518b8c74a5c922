"""Compiling C and Rust when the benchmark runs, and keeping what comes with dirtyscan.

What a user brings may include whatever it likes, and a header that appears earlier on the search
path is in no list of dependencies. A wrong guess would time yesterday's code, and a compilation
takes a second; so only what comes with dirtyscan, of which all files are known, is kept from one
run to the next.

Every unit is compiled once, whether it is linked once or at every placement.
"""

import dataclasses
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.native.cache import cache_folder, cannot_be_kept, find_kept, keep, move_into
from harness.native.code import code_hash
from harness.native.compiler import HEEDED
from harness.native.compiling import SHARED, Job, compile_job
from harness.native.elf import VARIANT
from harness.native.library import Library, content_hash
from harness.native.linking import Link
from harness.native.making import make_library
from harness.native.placement import EVERY_OFFSET, Placements
from harness.native.toolchain import AS_GIVEN, FORM, Toolchain, cargo_toolchain, rust_companion
from harness.native.variant import CONTRACT, VARIANTS, Variant

_FOLDER = Path(__file__).parent
_PARTS = ("stopwatch", "operations", "work", "neutral", "other_work", "children")
STOPWATCH = tuple(_FOLDER / f"{name}.c" for name in _PARTS)
DRIVER = (_FOLDER / "driver.c", *STOPWATCH)
_HEADERS = (_FOLDER / "operations.h", _FOLDER / "branches.h", VARIANTS / CONTRACT)
_TRIAL_FOLDER = _FOLDER.parent / "trial"
TRIAL = (_TRIAL_FOLDER / "trial.c", _TRIAL_FOLDER / "writers.c")
_GUEST_FOLDER = _FOLDER.parent / "kernel"
GUEST = tuple(_GUEST_FOLDER / f"{name}.c" for name in ("guest", "machine", "log", "ring", "scan"))

# What lets code begin at any byte; a compiler's own choice is 16 for functions and many loops.
_ANYWHERE = ("-falign-functions=1", "-falign-loops=1", "-falign-jumps=1")
_PROGRAM = ("-ldl",)


def build_variant(
    variant: Variant, toolchain: Toolchain, placed: Placements | None = None
) -> Library:
    """Compile ``variant``; one that comes with dirtyscan only if it was not before.

    Args:
        placed: at which placements it is to be linked too. A shared object cannot be.

    Raises:
        BadInput: the compiler refuses; the sentence has what it said.
    """
    make_library(variant)
    if variant.is_binary:
        path = variant.sources[0]
        return Library(path, content_hash(path), unplaced="is linked already" if placed else "")
    chosen = compiling_toolchain(variant, toolchain)
    name = f"{variant.operation}-{variant.sources[0].stem}"
    job = Job(name, variant, chosen, placements=placed)
    if not variant.built_in:
        return _compile_into(cache_folder(), job)[0]
    return _kept_or_built(job, variant.dependencies)


def build_at_every_offset(variant: Variant, toolchain: Toolchain) -> Library:
    """Compile a variant in C so that it can lie anywhere, and link it at each byte of a line.

    Raises:
        BadInput: the compiler refuses, or its linker does not move code.
    """
    anywhere = dataclasses.replace(toolchain, flags=(*toolchain.flags, *_ANYWHERE))
    name = f"{variant.operation}-{variant.sources[0].stem}"
    job = Job(name, variant, anywhere, placements=EVERY_OFFSET)
    library, _ = _compile_into(cache_folder(), job)
    if library.unplaced:
        raise BadInput(f"variant {variant.name} {library.unplaced}; leave it out.")
    return library


def compiling_toolchain(variant: Variant, toolchain: Toolchain) -> Toolchain:
    """Return what compiles ``variant`` where C is compiled with ``toolchain``.

    Raises:
        BadInput: it is in Rust, and rustc or cargo is not on this machine.
    """
    if variant.package:
        return cargo_toolchain(variant.package.profile)
    if variant.is_binary:
        return AS_GIVEN
    return rust_companion(toolchain) if variant.is_rust else toolchain


def build_stopwatch(toolchain: Toolchain) -> Library:
    """Compile the timed loop; see :func:`build_variant`."""
    return _build_own("stopwatch", STOPWATCH, toolchain, _HEADERS)


def build_trial(toolchain: Toolchain) -> Library:
    """Compile the trial's part in C; see :func:`build_variant`."""
    return _build_own("trial", TRIAL, toolchain, _HEADERS[-1:])


def build_guest(toolchain: Toolchain) -> Library:
    """Compile the guest on KVM; see :func:`build_variant`."""
    return _build_own("guest", GUEST, toolchain, (_GUEST_FOLDER / "guest.h",))


def build_driver(toolchain: Toolchain) -> Library:
    """Compile the driver, a program; see :func:`build_variant`."""
    return _build_own("driver", DRIVER, toolchain, _HEADERS, _PROGRAM)


def _build_own(
    name: str,
    sources: tuple[Path, ...],
    toolchain: Toolchain,
    headers: tuple[Path, ...],
    form: tuple[str, ...] = SHARED,
) -> Library:
    job = Job(name, Variant(name, "", sources), toolchain, form)
    return _kept_or_built(job, (*sources, *headers))


def _kept_or_built(job: Job, files: Sequence[Path]) -> Library:
    """Return what was made of the same ``files`` in the same way before, or make it.

    Where the environment sends the compiler to other folders, what lies there may have changed.
    """
    folder = cache_folder()
    if any(name in os.environ for name in HEEDED):
        return _compile_into(folder, job)[0]
    key = hashlib.sha256(f"{_hash(job.toolchain, files)} {_makers()}".encode()).hexdigest()
    form = f"-{job.placements.name}" if job.placements else ""
    entry = folder / f"{job.name}-{job.toolchain.name}-{key[:16]}{form}.json"
    if found := find_kept(entry):
        return found
    library, read = _compile_into(folder, job)
    if library.unplaced:
        return library  # a mended linker may do better
    keep(entry, library, read)
    return library


@functools.cache
def _makers() -> str:
    """Return the hash of what decides how things are made and what is known of them.

    What another version of it has kept is made anew.
    """
    makers = sorted(_FOLDER.glob("*.py"))
    return hashlib.sha256(" ".join(map(content_hash, makers)).encode()).hexdigest()


def _hash(toolchain: Toolchain, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    compiler = Path(shutil.which(toolchain.command[0]) or toolchain.command[0]).resolve()
    parts = [str(compiler), *toolchain.command, toolchain.version, *FORM, *toolchain.flags]
    parts += [f"{name}={os.environ[name]}" for name in HEEDED if name in os.environ]
    for part in parts:
        digest.update(part.encode(errors="surrogateescape") + b"\0")
    for path in files:
        digest.update(path.name.encode(errors="surrogateescape") + b"\0")
        digest.update(content_hash(path).encode())
    return digest.hexdigest()


def _compile_into(folder: Path, job: Job) -> tuple[Library, list[Path]]:
    """Compile into ``folder``, under names that stand for the content.

    Returns:
        The library, and every file that the compiler says it read.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{job.name[:40]}-", dir=folder) as scratch:
            made = Path(scratch) / "linked"
            link, read = compile_job(job, Path(scratch), made)
            content = content_hash(made)
            # An assembler reads files (.incbin) that no compiler lists.
            build_hash = hashlib.sha256(
                f"{_hash(job.toolchain, read)} {content}".encode()
            ).hexdigest()
            stem = f"{job.name[:100]}-{job.toolchain.name}-{content[:16]}"
            kept = folder / f"{stem}{'' if job.form is _PROGRAM else '.so'}"
            code = code_hash(link.units, link.beside, job.variant.symbol or VARIANT)
            library = Library(kept, build_hash, code)
            if job.placements:
                library = _place(library, link, Path(scratch), job.placements)
            move_into(made, kept)
    except OSError as error:
        raise cannot_be_kept(error) from None
    return library, read


def _place(library: Library, link: Link, scratch: Path, placements: Placements) -> Library:
    """Return ``library`` linked at ``placements`` too, or with why it cannot be."""
    try:
        made = link.make_placed(scratch, placements)
    except BadInput as error:
        return dataclasses.replace(library, unplaced=str(error))
    stem = f"{library.path.stem}-{library.build_hash[:16]}"
    kept = tuple(library.path.with_name(f"{stem}-{path.name}") for path in made)
    for path, target in zip(made, kept, strict=True):
        move_into(path, target)
    return dataclasses.replace(library, placed=kept)
