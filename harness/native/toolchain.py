"""Toolchains: a compiler with flags. The compiler is part of the experiment.

One of C compiles the original and all that is in C, and beside it one of Rust all that is in Rust:
the one that is named, or the one whose flags are nearest.
"""

import dataclasses
import platform
import re
from collections.abc import Mapping, Sequence

from harness.base.errors import BadInput
from harness.base.text import did_you_mean
from harness.native.installed import command_of, is_gnu, path_of_rust, version_of

# Every binary gets these; they decide its form and not its speed.
FORM = ("-std=gnu11", "-fPIC")

CXX_FORM = ("-std=gnu++17", "-fPIC")

PROFILES: Mapping[str, tuple[str, ...]] = {
    # Near to what built QEMU in 2010: optimized, but loops were not yet vectorized at -O2.
    "era": ("-O2", "-fno-tree-vectorize"),
    # What a distribution's package is built with today, and QEMU by itself.
    "distro": ("-O2",),
    # The same with one instruction more, which every x86 of the last 15 years has and none of these
    # builds assumes: without it the bits of a word are counted by a table or by arithmetic.
    "popcnt": ("-O2", "-mpopcnt"),
    # All that the compiler and this CPU can do.
    "native": ("-O3", "-march=native"),
}
COMPILERS = ("cc", "gcc", "clang", "zig")
RUST_PROFILES: Mapping[str, tuple[str, ...]] = {
    # What 'cargo build --release' asks for; -O stands for it since Rust 1.86, and before for 2.
    "release": ("-Copt-level=3",),
    "o2": ("-Copt-level=2",),
    # What Cloud Hypervisor ships: small, and all of it optimized as a whole.
    "size": ("-Copt-level=s", "-Clto=fat", "-Ccodegen-units=1"),
    "native": ("-Copt-level=3", "-Ctarget-cpu=native"),
}
_ONLY_ON: Mapping[str, str] = {"popcnt": "x86_64"}
"""The architecture that a profile is for, if not for all."""
_RUSTC, _CARGO = "rustc-", "cargo-"
RUST_MINIMUM = (1, 77)  # the first with C string literals
# A library for C, whose panics end the process rather than unwinding into it.
_RUST_FORM = ("--edition", "2021", "--crate-type", "cdylib", "-Cpanic=abort")
# zig compiles for the machine it runs on unless told otherwise, where the others take the baseline;
# and it checks for undefined behaviour by default, which is no part of the others' code either.
_ZIG_BASELINE = "-mcpu=baseline"
_ZIG_FORM = ("-fno-sanitize=undefined",)
_ZIG_PROFILES: Mapping[str, tuple[str, ...]] = {
    "popcnt": ("-O2", *_ZIG_FORM, f"{_ZIG_BASELINE}+popcnt"),
    "native": (*PROFILES["native"], *_ZIG_FORM),
}


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """A compiler that is on this machine, with flags."""

    name: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    version: str
    """The first line of what the compiler says of its version."""
    rust: str = ""
    """The profile of rustc that goes with it, if it is of C; empty for the nearest."""

    @property
    def is_rust(self) -> bool:
        """Whether it compiles Rust and not C."""
        return self.name.startswith((_RUSTC, _CARGO))


AS_GIVEN = Toolchain("as given", (), (), "")
"""Stands for what has compiled a library that a user brings, which nobody knows."""


def toolchain_names() -> list[str]:
    """Return the name of every toolchain that dirtyscan knows, here or not; those of C first."""
    of_c = [f"{compiler}-{profile}" for compiler in COMPILERS for profile in PROFILES]
    return [*of_c, *(f"{_RUSTC}{profile}" for profile in RUST_PROFILES)]


def find_toolchain(name: str) -> Toolchain:
    """Return the toolchain called ``name``, of C or of Rust.

    Raises:
        BadInput: it is not known, not for this machine, or its compiler is not on it.
    """
    if name.startswith(_CARGO):  # of a package, whose profiles are its own
        return cargo_toolchain(name.removeprefix(_CARGO))
    if name not in toolchain_names():
        raise BadInput(
            f"toolchain {name!r} is not known; choose from {', '.join(toolchain_names())}"
            f"{did_you_mean(name, toolchain_names())}."
        )
    compiler, profile = name.split("-")
    if (needed := _ONLY_ON.get(profile, platform.machine())) != platform.machine():
        raise BadInput(f"toolchain {name} is for {needed} and this is {platform.machine()}; "
                       "leave it out.")  # fmt: skip
    if name.startswith(_RUSTC):
        try:
            return rust_toolchain(profile)
        except BadInput as error:
            raise BadInput(f"toolchain {name} {error}.") from None
    command = command_of(compiler)
    if command is None:
        remedy = (
            "install the Python package ziglang" if compiler == "zig" else f"install {compiler}"
        )
        raise BadInput(f"toolchain {name} needs {compiler}, which is not here; {remedy}.")
    version = version_of(command)
    if not is_gnu(command):
        raise BadInput(
            f"toolchain {name} needs a compiler of GNU C, as gcc and clang are, and {compiler} is "
            f"{version!r} here; name another with --toolchain, or install gcc or clang."
        )
    flags = PROFILES[profile]
    if compiler == "zig":
        flags = _ZIG_PROFILES.get(profile, (*flags, *_ZIG_FORM, _ZIG_BASELINE))
    return Toolchain(name, command, flags, version)


def find_toolchains(names: Sequence[str] = ()) -> list[Toolchain]:
    """Return the toolchains called ``names`` as those of C, each with one of Rust.

    Those of Rust go with every one of C, or with the default one if there is none.

    Raises:
        BadInput: one is not known, or its compiler is not on this machine.
    """
    found = [find_toolchain(name) for name in names]
    of_c = [one for one in found if not one.is_rust] or [default_toolchain()]
    profiles = [one.name.removeprefix(_RUSTC) for one in found if one.is_rust] or [""]
    return [dataclasses.replace(one, rust=profile) for one in of_c for profile in profiles]


def names_for(made: Sequence[str]) -> tuple[str, ...]:
    """Return what to name so that the toolchains ``made`` take part, of those that are known.

    Those of Rust only if one would not by itself; nothing if none of ``made`` is of C.
    """
    known = [name for name in made if name in toolchain_names()]
    of_c = [name for name in known if not name.startswith(_RUSTC)]
    of_rust = [name for name in known if name.startswith(_RUSTC)]
    by_itself = {f"{_RUSTC}{_nearest(name)}" for name in of_c}
    return (*of_c, *(of_rust if of_c and set(of_rust) - by_itself else ()))


def rust_toolchain(profile: str) -> Toolchain:
    """Return rustc with the flags of ``profile``.

    Raises:
        BadInput: rustc is not on this machine.
    """
    path = path_of_rust("rustc")
    if path is None:
        raise BadInput("needs rustc, which is not here (install it from rustup.rs)")
    flags = (*_RUST_FORM, *RUST_PROFILES[profile])
    version = version_of((path,))
    numbers = re.search(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < RUST_MINIMUM:
        raise BadInput(
            f"needs rustc {'.'.join(map(str, RUST_MINIMUM))} or newer, and {version} is here "
            "(install it from rustup.rs)"
        )
    return Toolchain(f"{_RUSTC}{profile}", (path,), flags, version)


def cargo_toolchain(profile: str) -> Toolchain:
    """Return cargo, which takes the flags of a profile from the package.

    Raises:
        BadInput: cargo is not on this machine.
    """
    path = path_of_rust("cargo")
    if path is None:
        raise BadInput("needs cargo, which is not here (install it from rustup.rs)")
    return Toolchain(f"{_CARGO}{profile}", (path,), (), rust_toolchain("release").version)


def rust_companion(toolchain: Toolchain) -> Toolchain:
    """Return the toolchain of Rust that goes with one of C: the one it has, or the nearest.

    Raises:
        BadInput: rustc is not on this machine.
    """
    if toolchain.is_rust:
        return toolchain
    return rust_toolchain(toolchain.rust or _nearest(toolchain.name))


def _nearest(of_c: str) -> str:
    """Return the profile of rustc whose flags are nearest to those of a toolchain of C."""
    return "native" if of_c.endswith("-native") else "release"


def default_toolchain() -> Toolchain:
    """Return ``cc-era``, or the same flags with the first other compiler that can be used here.

    Raises:
        BadInput: there is none.
    """
    refused = None
    for compiler in COMPILERS:
        if command_of(compiler):
            try:
                return find_toolchain(f"{compiler}-era")
            except BadInput as error:
                refused = refused or error
    if refused:
        raise refused
    raise BadInput(
        "there is no C compiler here; install one ('apt-get install gcc'), or the one from PyPI "
        "beside dirtyscan ('pip install ziglang')."
    )
