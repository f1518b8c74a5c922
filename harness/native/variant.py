"""Variants: the files that implement an operation, by name."""

import dataclasses
import glob
from pathlib import Path

VARIANTS = Path(__file__).parent.parent / "variants"
CONTRACT, MACROS, RUST_CONTRACT = "dirtyscan.h", "dirtyscan_macros.h", "dirtyscan.rs"
SOURCE, RUST, BINARY = ".c", ".rs", ".so"
OBJECT, ARCHIVE = ".o", ".a"
CXX = (".cc", ".cpp", ".cxx")
FILES = (SOURCE, RUST, OBJECT, ARCHIVE, BINARY)
"""The endings of files that can be given as variants."""
UNITS = (SOURCE, *CXX, OBJECT, ARCHIVE)
"""The endings of what can be linked to them."""


@dataclasses.dataclass(frozen=True)
class Package:
    """A Cargo package that has a variant as an example, a library for C (``cdylib``)."""

    manifest: Path
    """Its Cargo.toml."""
    example: str
    profile: str
    features: tuple[str, ...]
    kept: str
    """What tells its compiled parts from those of others, of a copy elsewhere too: Cargo knows a
    file by its place in the package and by its time."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What somebody's build system is started with, and where."""

    text: str
    """For a shell."""
    folder: Path


@dataclasses.dataclass(frozen=True)
class Variant:
    """One implementation of one operation, as a file."""

    name: str
    operation: str
    sources: tuple[Path, ...]
    """Its translation units, the one that defines ``dirtyscan_variant`` first; or one library."""
    built_in: bool = True
    """Whether it comes with dirtyscan."""
    root: Path = VARIANTS
    """The folder of the contract that it is compiled with."""
    options: tuple[str, ...] = ()
    """What its compiler is given behind the toolchain's flags."""
    folder: Path | None = None
    """Where its compiler is started, so that paths in options are found; None for anywhere."""
    symbol: str = ""
    """What is called ``dirtyscan_variant`` elsewhere, where its files define several; or empty."""
    package: Package | None = None
    """What Cargo makes it of; then its source is the package's manifest."""
    made_by: Command | None = None
    """What makes the file that is its source, if somebody's own build system does."""

    @property
    def is_rust(self) -> bool:
        """Whether rustc compiles it."""
        return self.sources[0].suffix == RUST or self.package is not None

    @property
    def is_binary(self) -> bool:
        """Whether it is linked already."""
        return self.sources[0].suffix == BINARY

    @property
    def rust_contract(self) -> Path:
        """The contract that it includes if it is in Rust, whose path is DIRTYSCAN_RS."""
        return self.root / RUST_CONTRACT

    @property
    def dependencies(self) -> tuple[Path, ...]:
        """Every file that its binary depends on, if it comes with dirtyscan."""
        if self.is_rust:
            return (*self.sources, *sorted(self.root.glob(f"*{RUST}")))
        headers = sorted(self.sources[0].parent.glob(f"{self.name}.*.h"))
        return (*self.sources, *headers, *sorted(self.root.glob("*.h")))


def built_in_variants(operation: str, root: Path = VARIANTS) -> dict[str, Variant]:
    """Return the variants that come with dirtyscan, or those in a folder like theirs, by name."""
    found = {}
    folder = root / operation
    for source in sorted(folder.iterdir()) if folder.is_dir() else ():
        if source.suffix in (SOURCE, RUST) and "." not in source.stem:
            found[source.stem] = Variant(source.stem, operation, units_of(source), root=root)
    return found


def is_built_in(name: str) -> bool:
    """Return whether a variant of any operation that comes with dirtyscan has this name."""
    return any(name in built_in_variants(folder.name) for folder in VARIANTS.iterdir())


def units_of(source: Path) -> tuple[Path, ...]:
    """Return a file and, if it is C, the further translation units of its name beside it."""
    if source.suffix == RUST:
        return (source,)
    return (source, *sorted(source.parent.glob(f"{glob.escape(source.stem)}.*{SOURCE}")))
