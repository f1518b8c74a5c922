"""A variant compiled with a toolchain, and what it says of itself."""

import dataclasses
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.native.build import build_variant, compiling_toolchain
from harness.native.description import Description
from harness.native.finding import find_variant
from harness.native.library import Library
from harness.native.loaded_variant import describe_variant, load_variant
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS
from harness.native.placement import Placements
from harness.native.toolchain import Toolchain, default_toolchain, rust_toolchain
from harness.native.variant import FILES, Variant, built_in_variants


@dataclasses.dataclass(frozen=True)
class BuiltVariant:
    """A variant that was compiled; whether it can run here, its description says."""

    variant: Variant
    toolchain: Toolchain
    """The one that has compiled it: rustc's where it is in Rust."""
    library: Library
    description: Description


def build_here(
    variant: Variant, toolchain: Toolchain, placed: Placements | None = None
) -> BuiltVariant | str:
    """Compile ``variant``; or say why it cannot run on this machine.

    Args:
        toolchain: of C; a variant in Rust is compiled with the rustc that goes with it.
        placed: at which placements it is to be linked too.

    Raises:
        BadInput: it does not compile, or is of another operation.
    """
    if variant.is_rust and (missing := rust_obstacle()):
        return missing
    built = build_variant(variant, toolchain, placed)
    description = describe(variant, built)
    used = compiling_toolchain(variant, toolchain)
    return description.obstacle() or BuiltVariant(variant, used, built, description)


def describe_here(variant: Variant) -> Description:
    """Compile ``variant`` with the default toolchain and return what it says of itself.

    Raises:
        BadInput: it does not compile, or cannot run on this machine.
    """
    built = build_here(variant, default_toolchain())
    if isinstance(built, str):
        raise BadInput(f"variant {variant.name} {built}.")
    return built.description


def describe(variant: Variant, built: Library) -> Description:
    """Read the description of a compiled variant, somebody else's in a process of its own.

    Raises:
        BadInput: it is of another operation.
    """
    if variant.built_in:
        return load_variant(built.path).description
    description = describe_variant(built.path, str(variant.sources[0]))
    if description.operation != variant.operation:
        raise BadInput(
            f"variant {variant.sources[0].name} is one of operation {description.operation!r} and "
            f"not of {variant.operation}; leave it out, or measure it by itself."
        )
    return description


def operations_of(name: str) -> tuple[str, ...]:
    """Return the operations that have a variant called ``name``: one of a file, which says so.

    Raises:
        BadInput: there is no such variant, or its file does not compile.
    """
    known = tuple(one for one in OPERATIONS if name in built_in_variants(one))
    if known:
        return known
    try:
        variant = find_variant(name, DEFAULT_OPERATION)
    except BadInput:
        if Path(name).suffix in FILES:
            raise
        raise BadInput(
            f"variant {shortened(name)!r} is not known in any operation; take a name that "
            f"'dirtyscan variants OPERATION' lists, or the path of a file ({', '.join(FILES)})."
        ) from None
    return (declared_operation(variant),)


def declared_operation(variant: Variant) -> str:
    """Return the operation that ``variant`` says it is one of, wherever it was looked up.

    Raises:
        BadInput: it does not compile here.
    """
    if variant.built_in:
        return variant.operation
    if variant.is_rust and (missing := rust_obstacle()):
        raise BadInput(f"variant {variant.name} {missing}.")
    built = build_variant(variant, default_toolchain())
    return describe_variant(built.path, str(variant.sources[0])).operation


def rust_obstacle() -> str:
    """Say why variants in Rust cannot be compiled here; empty if they can."""
    try:
        rust_toolchain("release")
    except BadInput as error:
        return str(error)
    return ""
