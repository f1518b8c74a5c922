"""The line-up of a run: every variant that was asked for, compiled with every toolchain."""

import dataclasses
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.measurement.plan import Lane
from harness.native.build import Library, build_variant, require_loadable
from harness.native.loaded_variant import Description, describe_variant, load_variant
from harness.native.operation import find_operation
from harness.native.peers import PEERS
from harness.native.toolchain import (
    Toolchain,
    default_toolchain,
    rust_companion,
    rust_toolchain,
)
from harness.native.variant import Variant, built_in_variants, find_variant
from workloads.errors import BadInput
from workloads.files import copy_file

ALL, EVERY_PEER, BEST = "all", "peers", "recommended"
LIBRARIES = "libraries"
PYTHON = f"python-{platform.python_version()}"
"""What stands for the toolchain of a peer."""


@dataclasses.dataclass(frozen=True)
class LineUp:
    """The lanes of a run, and those that it has not."""

    lanes: tuple[Lane, ...]
    left_out: tuple[str, ...]
    """A sentence for each variant that was not asked for by name and cannot run here."""


@dataclasses.dataclass(frozen=True)
class _Choice:
    """The variants and peers that names stand for."""

    called: Mapping[str, str]
    """By each name, what its lane is called."""
    variants: tuple[Variant, ...]
    peers: tuple[str, ...]
    optional: frozenset[str]
    """Those that may be left out, since they were not asked for by name."""


def line_up(
    names: Sequence[str],
    operation: str,
    compared_with: str,
    toolchains: Sequence[Toolchain],
    base: Path,
    noise_floor: bool = True,
) -> LineUp:
    """Compile the variants ``names``, each toolchain's with its original.

    Args:
        names: of variants and peers, paths of files, and ``all``, ``recommended`` and ``peers``,
            which stand for several.
        compared_with: the variant that is the original.
        base: where the libraries are copied to, so that a resumed run has the very same code.
        noise_floor: whether each toolchain's original takes part a second time.

    Raises:
        BadInput: a variant does not exist or does not compile; or one that was named cannot run
            here.
    """
    original = find_variant(compared_with, operation)
    choice = _choose(names, operation, original)
    lanes: list[Lane] = []
    left_out: list[str] = []
    for toolchain in toolchains:
        first = len(lanes)
        for variant in (original, *choice.variants, *([original] if noise_floor else [])):
            if variant.is_rust and (missing := rust_obstacle()):
                _leave_out(variant.name, missing, choice, left_out)
                continue
            built = build_variant(variant, toolchain)
            description = describe(variant, built, operation)
            if obstacle := description.obstacle():
                _leave_out(variant.name, obstacle, choice, left_out)
                continue
            library = keep_library(built, base, f"lane-{len(lanes)}")
            again = variant is original and len(lanes) > first
            lanes.append(_lane(variant, toolchain, built, library, description, first, again))
    lanes += _peer_lanes(choice, left_out)
    return LineUp(tuple(lanes), tuple(dict.fromkeys(left_out)))


def keep_library(library: Library, base: Path, name: str) -> str:
    """Copy ``library`` into the run and return its path from ``base``."""
    path = base / LIBRARIES / f"{name}.so"
    copy_file(library.path, path)
    require_loadable(path.parent, "name a folder that allows it with --output")
    return str(path.relative_to(base))


def lane_names(names: Sequence[str], operation: str, compared_with: str) -> Mapping[str, str]:
    """Return by each of ``names`` what its lane is called in a line-up of just these names.

    Files of one name are told apart then, so a name alone does not say it.

    Raises:
        BadInput: a variant does not exist.
    """
    return _choose(names, operation, find_variant(compared_with, operation)).called


def describe_here(name: str, operation: str) -> Description:
    """Compile a variant with the default toolchain and return what it says of itself.

    Raises:
        BadInput: it does not exist or compile, or cannot run on this machine.
    """
    variant = find_variant(name, operation)
    if variant.is_rust and (missing := rust_obstacle()):
        raise BadInput(f"variant {variant.name} {missing}.")
    found = describe(variant, build_variant(variant, default_toolchain()), operation)
    if obstacle := found.obstacle():
        raise BadInput(f"variant {variant.name} {obstacle}.")
    return found


def recommended_variants(operation: str) -> tuple[str, ...]:
    """Return for each representation the variant to take on this machine."""
    choices = find_operation(operation).recommended
    return tuple(_first_that_runs(names, operation) for names in choices)


def _first_that_runs(names: Sequence[str], operation: str) -> str:
    toolchain = default_toolchain()
    for name in names:
        built = build_variant(find_variant(name, operation), toolchain)
        if not load_variant(built.path).description.obstacle():
            return name
    raise BadInput(f"none of {', '.join(names)} can run on this machine.")


def _choose(names: Sequence[str], operation: str, original: Variant) -> _Choice:
    named = {original.name: original}
    called: dict[str, str] = {}
    peers: list[str] = []
    optional: set[str] = set()
    for name in _expand(names, operation, optional):
        if name in find_operation(operation).peers:
            peers.append(called.setdefault(name, name))
            continue
        variant = _told_apart(find_variant(name, operation), name, named)
        called[name] = variant.name
        named[variant.name] = variant
    del named[original.name]
    variants = tuple(named.values())
    return _Choice(called, variants, tuple(dict.fromkeys(peers)), frozenset(optional))


def _told_apart(variant: Variant, given: str, named: Mapping[str, Variant]) -> Variant:
    """Return ``variant`` under a name that no other file has: its own, or else its path."""
    for name in (variant.name, given):
        if name not in named or named[name].sources == variant.sources:
            return dataclasses.replace(variant, name=name)
    return dataclasses.replace(variant, name=str(variant.sources[0].resolve()))


def _expand(names: Sequence[str], operation: str, optional: set[str]) -> Iterator[str]:
    """Yield names with those that stand for several replaced, and add these to ``optional``."""
    peers = list(find_operation(operation).peers)
    several = {
        ALL: [*built_in_variants(operation), *peers],
        EVERY_PEER: peers,
    }
    for name in names:
        if name == BEST:
            yield from recommended_variants(operation)
        elif name in several:
            optional.update(set(several[name]) - set(names))
            yield from several[name]
        else:
            yield name


def describe(variant: Variant, built: Library, operation: str) -> Description:
    """Read a variant's description, somebody else's in a process of its own.

    Raises:
        BadInput: it is none of ``operation``.
    """
    if variant.built_in:
        return load_variant(built.path).description
    description = describe_variant(built.path, str(variant.sources[0]))
    if description.operation != operation:
        raise BadInput(
            f"variant {variant.sources[0].name} is one of operation {description.operation!r} and "
            f"not of {operation}; leave it out."
        )
    return description


def rust_obstacle() -> str:
    """Say why variants in Rust cannot be compiled here; empty if they can."""
    try:
        rust_toolchain("release")
    except BadInput as error:
        return str(error)
    return ""


def _leave_out(name: str, obstacle: str, choice: _Choice, left_out: list[str]) -> None:
    sentence = f"variant {name} {obstacle}"
    if name not in choice.optional:
        raise BadInput(f"{sentence}; leave it out.")
    left_out.append(sentence)


def _lane(
    variant: Variant,
    toolchain: Toolchain,
    built: Library,
    library: str,
    description: Description,
    original: int,
    noise_floor: bool,
) -> Lane:
    return Lane(
        variant.name,
        (rust_companion(toolchain) if variant.is_rust else toolchain).name,
        library,
        built.build_hash,
        original,
        map=description.map,
        bound=description.bound,
        paid_in=description.paid_in,
        noise_floor=noise_floor,
    )


def _peer_lanes(choice: _Choice, left_out: list[str]) -> list[Lane]:
    """Return a lane for each peer, compared with the first toolchain's original."""
    lanes = []
    for name in choice.peers:
        peer = PEERS[name]
        if obstacle := peer.obstacle():
            _leave_out(name, obstacle, choice, left_out)
            continue
        lanes.append(Lane(name, PYTHON, "", "", 0, map=peer.map, peer=True))
    return lanes
