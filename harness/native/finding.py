"""Finding a variant by what somebody calls it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import LONGEST_NAME, can_be_shown, did_you_mean, shortened
from harness.native.manifest import find_manifest
from harness.native.operation import DEFAULT_OPERATION
from harness.native.variant import (
    ARCHIVE,
    BINARY,
    FILES,
    OBJECT,
    RUST,
    SOURCE,
    UNITS,
    Variant,
    built_in_variants,
    is_built_in,
    units_of,
)


def find_variant(name: str, operation: str) -> Variant:
    """Return the variant called ``name``: dirtyscan's own, the manifest's, or that of a file.

    One in a file is called as the file without its ending, or with it where a variant that comes
    with dirtyscan has that name already.

    Raises:
        BadInput: there is none.
    """
    known = built_in_variants(operation)
    if name in known:
        return known[name]
    manifest = find_manifest()
    if manifest and name in manifest.entries:
        return manifest.variant(name, operation)
    path = Path(name)
    if not (can_be_shown(name) and len(path.name) <= LONGEST_NAME):
        raise BadInput(
            f"a variant cannot be called {shortened(path.name)!r}; give its file a name of at most "
            f"{LONGEST_NAME} characters that can all be shown."
        )
    if path.suffix not in FILES:
        own = manifest.entries if manifest else ()
        raise BadInput(
            f"variant {name!r} of operation {operation} is not known; choose from "
            f"{', '.join([*known, *own])}, or give the path of a {SOURCE} or {RUST} file, of an "
            f"object file or archive ({OBJECT}, {ARCHIVE}), or of a shared object ({BINARY})"
            f"{did_you_mean(name, [*known, *own])}."
        )
    try:
        missing = "" if path.is_file() else "no such file"
    except OSError as error:
        missing = error.strerror or str(error)
    if missing:
        raise BadInput(f"variant {name} cannot be read ({missing}); check its path.")
    compiled = path.suffix in (OBJECT, ARCHIVE, BINARY)
    called = path.name if compiled or path.stem in known else path.stem
    units = (path,) if compiled else units_of(path)
    return Variant(called, operation, units, built_in=False)


def is_own(name: str) -> bool:
    """Return whether ``name`` is that of a file or of a variant in the manifest."""
    if is_built_in(name):
        return False
    manifest = find_manifest()
    return Path(name).suffix in FILES or bool(manifest and name in manifest.entries)


def find_own(name: str, arguments: Sequence[str] = ()) -> Variant:
    """Return a variant of one's own, of whichever operation, with what its compiler is given.

    Raises:
        BadInput: there is none.
    """
    return with_arguments(find_variant(name, DEFAULT_OPERATION), arguments)


def with_arguments(variant: Variant, arguments: Sequence[str]) -> Variant:
    """Return ``variant`` with what its compiler is to be given: options, and files to link to it.

    One that comes with dirtyscan, or is compiled already, is returned as it is.
    """
    if variant.built_in or variant.sources[0].suffix not in (SOURCE, RUST) or variant.package:
        return variant
    linked = [a for a in arguments if Path(a).suffix in UNITS and not a.startswith("-")]
    return dataclasses.replace(
        variant,
        sources=(*variant.sources, *map(Path, linked)),
        options=(*variant.options, *(a for a in arguments if a not in linked)),
    )
