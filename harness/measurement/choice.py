"""The choice of a run: the variants and peers that names stand for."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from harness.base.errors import BadInput
from harness.measurement.fastest import fastest
from harness.native.built_variant import BuiltVariant, build_here
from harness.native.finding import find_variant, with_arguments
from harness.native.operation import DEFAULT_OPERATION, find_operation
from harness.native.peers import Peer
from harness.native.toolchain import default_toolchain
from harness.native.variant import Variant, built_in_variants

ALL, EVERY_PEER, BEST = "all", "peers", "recommended"


@dataclasses.dataclass(frozen=True)
class Choice:
    """What takes part in a run, and what it is compared with."""

    original: Variant
    variants: tuple[Variant, ...]
    """Each under a name that no other has."""
    peers: tuple[Peer, ...]
    called: Mapping[str, str]
    """By each name that was given, that of what it stands for; files of one name are told apart."""
    optional: frozenset[str]
    """Those that may be left out, since they were not asked for by name."""


def choose(
    names: Sequence[str],
    operation: str = DEFAULT_OPERATION,
    original: str = "",
    arguments: Sequence[str] = (),
) -> Choice:
    """Find the variants and peers called ``names``.

    Args:
        names: of variants and peers, paths of files, and ``all``, ``recommended`` and ``peers``,
            which stand for several.
        original: the variant that they are compared with; the operation's own if empty.
        arguments: what the compiler of files of one's own is to be given.

    Raises:
        BadInput: one does not exist.
    """
    known = find_operation(operation)
    compared_with = find_variant(original or known.original, operation)
    compared_with = with_arguments(compared_with, arguments)
    named = {compared_with.name: compared_with}
    called: dict[str, str] = {}
    peers: dict[str, Peer] = {}
    optional: set[str] = set()
    for name in _expand(names, operation, optional):
        if name in known.peers:
            peers[name] = known.peers[name]
            called[name] = name
            continue
        found = with_arguments(find_variant(name, operation), arguments)
        variant = told_apart(found, name, named)
        called[name] = variant.name
        named[variant.name] = variant
    del named[compared_with.name]
    variants, others = tuple(named.values()), tuple(peers.values())
    return Choice(compared_with, variants, others, called, frozenset(optional))


def recommended_variants(operation: str) -> tuple[str, ...]:
    """Return for each representation the variant that is fastest on this CPU.

    Raises:
        BadInput: none of a representation can run here.
    """
    known, toolchain = find_operation(operation), default_toolchain()
    found = []
    for names in known.recommended:
        made = [build_here(find_variant(name, operation), toolchain) for name in names]
        able = [one for one in made if isinstance(one, BuiltVariant)]
        if not able:
            raise BadInput(f"none of {', '.join(names)} can run on this machine.")
        found.append(fastest(able, known))
    return tuple(found)


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


def told_apart(variant: Variant, given: str, named: Mapping[str, Variant]) -> Variant:
    """Return ``variant`` under a name that no other file has: its own, or else its path."""
    for name in (variant.name, given):
        if name not in named or named[name].sources == variant.sources:
            return dataclasses.replace(variant, name=name)
    return dataclasses.replace(variant, name=str(variant.sources[0].resolve()))
