"""Packages in Rust: an example of one is a variant, which Cargo builds as the package says."""

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.base.errors import BadInput
from harness.base.files import copy_file
from harness.native.cache import cache_folder
from harness.native.compiler import run_within, shorten, started
from harness.native.linking import Link, RustLinker
from harness.native.toolchain import cargo_toolchain
from harness.native.variant import Package

_LIMIT = 600.0
"""Seconds that Cargo may take for a package and all that it depends on."""


def compile_package(package: Package, contract: Path, library: Path) -> tuple[Link, list[Path]]:
    """Build the example of ``package`` as ``library``, and tell how it was linked.

    Profile, dependencies and LTO are the package's own. The linker alone is another: one that notes
    down what it is given, so that the same can be linked at every placement.

    Args:
        contract: the file that the example includes, which it finds in ``DIRTYSCAN_RS``.

    Returns:
        How it was linked, and the package's manifest.

    Raises:
        BadInput: cargo is not here, or refuses; the sentence has what it said.
    """
    toolchain = cargo_toolchain(package.profile)
    command, linker = _command(package)
    folder = package.manifest.parent
    status, out, said = run_within(_LIMIT, command, folder, DIRTYSCAN_RS=str(contract))
    if status is None:
        raise BadInput(f"{package.manifest} was not built within {_LIMIT:.0f} s; build it once.")
    if status:
        raise BadInput(f"{package.manifest} does not build:{shorten(said, status)}")
    _check_is_library(out, package)
    copy_file(linker.made(), library)
    return linker.link(package.manifest, toolchain.name), [package.manifest]


def build_ahead(packages: Iterable[tuple[Package, Path]]) -> None:
    """Let Cargo build ``packages``, each with its contract, at once.

    It keeps what it has built, so whoever asks for one of them later waits for little, and is told
    there if it cannot be built. Those of one folder wait for each other.
    """
    with contextlib.suppress(subprocess.TimeoutExpired), contextlib.ExitStack() as stack:
        running = []
        for package, contract in packages:
            command, _ = _command(package)
            folder = package.manifest.parent
            build = started(command, folder, DIRTYSCAN_RS=str(contract))
            running.append(stack.enter_context(build))
        for process in running:
            process.communicate(timeout=_LIMIT)


def _command(package: Package) -> tuple[list[str], RustLinker]:
    """Return the command that builds ``package``, and the linker that it calls."""
    toolchain = cargo_toolchain(package.profile)
    target = cache_folder().parent / "cargo" / package.kept
    linker = RustLinker(_scratch(target, package), target / _folder(package.profile) / "examples")
    command = [
        *(*toolchain.command, "rustc", "--message-format=json-render-diagnostics", "--quiet"),
        *("--manifest-path", str(package.manifest), "--target-dir", str(target)),
        *("--profile", package.profile, "--example", package.example),
        *(("--features", ",".join(package.features)) if package.features else ()),
        # Its objects are gone afterwards unless it saves all that it makes on its way.
        *("--", "-Csave-temps", f"-Clinker={linker.path}"),
    ]
    return command, linker


def _scratch(target: Path, package: Package) -> Path:
    """Return the folder of a linker: another for each library, as Cargo does not link it anew."""
    names = f"{package.manifest} {package.example} {package.profile} {package.features}"
    folder = target / "links" / hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _folder(profile: str) -> str:
    """Return how the folder of a profile is called in a target folder."""
    return {"dev": "debug", "test": "debug", "bench": "release"}.get(profile, profile)


def _check_is_library(out: str, package: Package) -> None:
    """Check that what Cargo says it has made is a library for C.

    Raises:
        BadInput: it is not.
    """
    for message in _messages(out):
        target = message.get("target", {})
        of_example = target.get("name") == package.example
        if message.get("reason") == "compiler-artifact" and of_example:
            files = message.get("filenames", ())
            if any(name.endswith(".so") for name in files):
                return
    raise BadInput(
        f"example {package.example!r} of {package.manifest} is no library for C; give it "
        'crate-type = ["cdylib"] in its [[example]].'
    )


def _messages(out: str) -> Iterator[dict[str, Any]]:
    for line in out.splitlines():
        if line.startswith("{"):
            yield json.loads(line)
