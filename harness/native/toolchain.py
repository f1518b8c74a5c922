"""Toolchains: a compiler with flags. The compiler is part of the experiment."""

import dataclasses
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from harness.base.errors import BadInput

# Every binary gets these; they decide its form and not its speed.
FORM = ("-std=gnu11", "-fPIC")

CXX_FORM = ("-std=gnu++17", "-fPIC")

PROFILES: Mapping[str, tuple[str, ...]] = {
    # Near to what built QEMU in 2010: optimized, but loops were not yet vectorized at -O2.
    "era": ("-O2", "-fno-tree-vectorize"),
    # What a distribution's package is built with today.
    "distro": ("-O2",),
    # All that the compiler and this CPU can do.
    "native": ("-O3", "-march=native"),
}
COMPILERS = ("cc", "gcc", "clang", "zig")
RUST_PROFILES: Mapping[str, tuple[str, ...]] = {
    "release": ("-O",),
    "native": ("-O", "-Ctarget-cpu=native"),
}
RUST_MINIMUM = (1, 77)  # the first with C string literals
# A library for C, whose panics end the process rather than unwinding into it.
_RUST_FORM = ("--edition", "2021", "--crate-type", "cdylib", "-Cpanic=abort")
# zig compiles for the machine it runs on unless told otherwise, where the others take the baseline;
# and it checks for undefined behaviour by default, which is no part of the others' code either.
_ZIG_BASELINE = ("-mcpu=baseline",)
_ZIG_FORM = ("-fno-sanitize=undefined",)


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """A compiler that is on this machine, with flags."""

    name: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    version: str
    """The first line of what the compiler says of its version."""

    @property
    def is_rust(self) -> bool:
        """Whether it compiles Rust and not C."""
        return self.name.startswith(("rustc-", "cargo-"))


def toolchain_names() -> list[str]:
    """Return the name of every toolchain that dirtyscan knows, here or not."""
    return [f"{compiler}-{profile}" for compiler in COMPILERS for profile in PROFILES]


def find_toolchain(name: str) -> Toolchain:
    """Return the toolchain called ``name``.

    Raises:
        BadInput: it is not known, or its compiler is not on this machine.
    """
    if name not in toolchain_names():
        raise BadInput(
            f"toolchain {name!r} is not known; choose from {', '.join(toolchain_names())}."
        )
    compiler, profile = name.split("-")
    command = _compiler_command(compiler)
    if command is None:
        remedy = (
            "install the Python package ziglang" if compiler == "zig" else f"install {compiler}"
        )
        raise BadInput(f"toolchain {name} needs {compiler}, which is not here; {remedy}.")
    flags = PROFILES[profile]
    if compiler == "zig":
        flags = (*flags, *_ZIG_FORM, *(() if profile == "native" else _ZIG_BASELINE))
    return Toolchain(name, command, flags, _version(command))


def find_toolchains(names: Sequence[str] = ()) -> list[Toolchain]:
    """Return the toolchains called ``names``; the default one if there are none.

    Raises:
        BadInput: one is not known, or its compiler is not on this machine.
    """
    return [find_toolchain(name) for name in names] or [default_toolchain()]


def rust_toolchain(profile: str) -> Toolchain:
    """Return rustc with the flags of ``profile``.

    Raises:
        BadInput: rustc is not on this machine.
    """
    path = _of_rust("rustc")
    if path is None:
        raise BadInput("needs rustc, which is not here (install it from rustup.rs)")
    flags = (*_RUST_FORM, *RUST_PROFILES[profile])
    version = _version((path,))
    numbers = re.search(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < RUST_MINIMUM:
        raise BadInput(
            f"needs rustc {'.'.join(map(str, RUST_MINIMUM))} or newer, and {version} is here "
            "(install it from rustup.rs)"
        )
    return Toolchain(f"rustc-{profile}", (path,), flags, version)


def cargo_toolchain(profile: str) -> Toolchain:
    """Return cargo, which takes the flags of a profile from the package.

    Raises:
        BadInput: cargo is not on this machine.
    """
    path = _of_rust("cargo")
    if path is None:
        raise BadInput("needs cargo, which is not here (install it from rustup.rs)")
    return Toolchain(f"cargo-{profile}", (path,), (), rust_toolchain("release").version)


def recorded_toolchain(name: str) -> Toolchain:
    """Return the toolchain called ``name``, of C or of Rust, that something was compiled with."""
    compiler, _, profile = name.partition("-")
    if compiler == "cargo":
        return cargo_toolchain(profile)
    return rust_toolchain(profile) if compiler == "rustc" else find_toolchain(name)


def rust_companion(toolchain: Toolchain) -> Toolchain:
    """Return rustc with the flags that are nearest to those of a C toolchain.

    Raises:
        BadInput: rustc is not on this machine.
    """
    return rust_toolchain("native" if toolchain.name.endswith("-native") else "release")


def _of_rust(program: str) -> str | None:
    # Where rustup puts it, which is not on everybody's path.
    home = os.path.expanduser("~/.cargo/bin")  # noqa: PTH111 (Path fails where there is no home)
    return shutil.which(program) or shutil.which(program, path=home)


def default_toolchain() -> Toolchain:
    """Return ``cc-era``, or the same flags with the first other compiler that is here.

    Raises:
        BadInput: there is neither.
    """
    for compiler in COMPILERS:
        if _compiler_command(compiler):
            return find_toolchain(f"{compiler}-era")
    raise BadInput(
        "there is no C compiler here; install one ('apt-get install gcc'), or the one from PyPI "
        "beside dirtyscan ('pip install ziglang')."
    )


def _compiler_command(compiler: str) -> tuple[str, ...] | None:
    if compiler == "zig":
        if importlib.util.find_spec("ziglang"):
            return (sys.executable, "-P", "-m", "ziglang", "cc")
        return ("zig", "cc") if shutil.which("zig") else None
    path = shutil.which(compiler)
    return (path,) if path else None


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            [*command, "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "LC_ALL": "C"},  # the same compiler in whatever language
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(
            f"compiler {' '.join(command)} does not run ({error}); mend or remove it."
        ) from None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"
