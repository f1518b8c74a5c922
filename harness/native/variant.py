"""Variants: the files that implement an operation, by name."""

import dataclasses
import glob
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import LONGEST_NAME, can_be_shown, shortened

VARIANTS = Path(__file__).parent.parent / "variants"
CONTRACT, MACROS, RUST_CONTRACT = "dirtyscan.h", "dirtyscan_macros.h", "dirtyscan.rs"
SOURCE, RUST, BINARY = ".c", ".rs", ".so"
OBJECT, ARCHIVE = ".o", ".a"
FILES = (SOURCE, RUST, OBJECT, ARCHIVE, BINARY)
"""The endings of files that can be given as variants."""


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

    @property
    def is_rust(self) -> bool:
        """Whether rustc compiles it."""
        return self.sources[0].suffix == RUST

    @property
    def is_binary(self) -> bool:
        """Whether it is linked already."""
        return self.sources[0].suffix == BINARY

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
            found[source.stem] = Variant(source.stem, operation, _units(source), root=root)
    return found


def find_variant(name: str, operation: str) -> Variant:
    """Return the variant called ``name``, or the one in the file of that path.

    One in a file is called as the file without its ending, or with it where a variant that comes
    with dirtyscan has that name already.

    Raises:
        BadInput: there is none.
    """
    known = built_in_variants(operation)
    if name in known:
        return known[name]
    path = Path(name)
    if not (can_be_shown(name) and len(path.name) <= LONGEST_NAME):
        raise BadInput(
            f"a variant cannot be called {shortened(path.name)!r}; give its file a name of at most "
            f"{LONGEST_NAME} characters that can all be shown."
        )
    if path.suffix not in FILES:
        raise BadInput(
            f"variant {name!r} of operation {operation} is not known; choose from "
            f"{', '.join(known)}, or give the path of a {SOURCE} or {RUST} file, of an object file "
            f"or archive ({OBJECT}, {ARCHIVE}), or of a shared object ({BINARY})."
        )
    try:
        missing = "" if path.is_file() else "no such file"
    except OSError as error:
        missing = error.strerror or str(error)
    if missing:
        raise BadInput(f"variant {name} cannot be read ({missing}); check its path.")
    compiled = path.suffix in (OBJECT, ARCHIVE, BINARY)
    called = path.name if compiled or path.stem in known else path.stem
    units = (path,) if compiled else _units(path)
    return Variant(called, operation, units, built_in=False)


def _units(source: Path) -> tuple[Path, ...]:
    """Return a file and, if it is C, the further translation units of its name beside it."""
    if source.suffix == RUST:
        return (source,)
    return (source, *sorted(source.parent.glob(f"{glob.escape(source.stem)}.*{SOURCE}")))
