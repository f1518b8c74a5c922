"""A variant compiled with a toolchain, and what it says of itself."""

import dataclasses
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.native.build import build_variant, compiling_toolchain
from harness.native.finding import find_variant, with_arguments
from harness.native.library import Library
from harness.native.loaded_variant import Description, describe_variant, load_variant
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import Toolchain, default_toolchain, rust_toolchain
from harness.native.variant import Variant


@dataclasses.dataclass(frozen=True)
class BuiltVariant:
    """A variant that was compiled; whether it can run here, its description says."""

    variant: Variant
    toolchain: Toolchain
    """The one that has compiled it: rustc's where it is in Rust."""
    library: Library
    description: Description


def build_here(variant: Variant, toolchain: Toolchain, placed: bool = False) -> BuiltVariant | str:
    """Compile ``variant``; or say why it cannot run on this machine.

    Args:
        toolchain: of C; a variant in Rust is compiled with the rustc that goes with it.
        placed: whether it is to be linked at every placement too.

    Raises:
        BadInput: it does not compile, or is of another operation.
    """
    if variant.is_rust and (missing := rust_obstacle()):
        return missing
    built = build_variant(variant, toolchain, placed)
    description = describe(variant, built)
    used = compiling_toolchain(variant, toolchain)
    return description.obstacle() or BuiltVariant(variant, used, built, description)


def operation_of(name: str, arguments: Sequence[str] = ()) -> str:
    """Return the operation of a file or of a variant in the manifest, which it says of itself.

    Args:
        arguments: what its compiler is to be given.

    Raises:
        BadInput: it is not there, or does not compile.
    """
    return operation_of_variant(with_arguments(find_variant(name, DEFAULT_OPERATION), arguments))


def operation_of_variant(variant: Variant) -> str:
    """Return the operation that ``variant`` says it is of, whichever it was taken for.

    Raises:
        BadInput: it does not compile.
    """
    built = build_variant(variant, default_toolchain())
    return describe_variant(built.path, str(variant.sources[0])).operation


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


def rust_obstacle() -> str:
    """Say why variants in Rust cannot be compiled here; empty if they can."""
    try:
        rust_toolchain("release")
    except BadInput as error:
        return str(error)
    return ""
