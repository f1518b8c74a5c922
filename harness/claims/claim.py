"""Claims: published figures, read from a file."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.units import parse_size
from harness.claims.entry import Entry, read_entries
from harness.kernel.claimed import CLAIMED
from harness.kernel.method import Method, find_methods
from harness.native.finding import find_variant
from harness.native.operation import find_operation
from harness.native.toolchain import toolchain_names
from harness.native.variant import Variant
from workloads.conditions import find_condition
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, random_pages

CLAIMS = Path(__file__).parent / "claims.toml"
NEAR = 1.25
"""A single figure is taken as a range of a quarter either way: it was measured elsewhere."""

_AS_THEY_ARE = ("name", "source", "address", "date", "operation", "original", "variant", "note")
"""Fields that a claim has from its entry."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published range of speedups; ``claims.toml`` says what each field means."""

    name: str
    source: str
    date: str
    operation: str
    original: str
    variant: str
    low: float
    high: float
    note: str
    conditions: tuple[str, ...] = ()
    over_calls: bool = False
    """Whether its range is over single calls; otherwise it is for the time of all of them."""
    trace: str = ""
    """The path of a trace file, if that is what it is about."""
    runs: RandomRuns | None = None
    """The random maps that it is about, if it is not about conditions or a trace."""
    guest_memory: int = 0
    """In bytes, of the random maps that it is about."""
    scaled_to: int = 0
    """In bytes, of those that are measured in their place; the same unless they take too long."""
    host: str = ""
    """What of the kernel's part it is about hosts with, if anything."""
    again: bool = False
    """Whether maps are called again at once, as benchmarks do; else as in a migration."""
    address: str = ""
    toolchain: str = ""
    """What it is judged by; empty for the default."""
    beside: str = ""
    """Another one, whose speedup stands beside that, if there is one."""

    def unscaled(self) -> "Claim":
        """Return it measured on the guest that it is about, however large."""
        return dataclasses.replace(self, scaled_to=self.guest_memory)

    @property
    def toolchains(self) -> tuple[str, ...]:
        """The toolchains that it names, the one that it is judged by first."""
        return tuple(name for name in (self.toolchain, self.beside) if name)

    @property
    def claimed(self) -> str:
        """The range in words."""
        return range_in_words(self.low, self.high)


def range_in_words(low: float, high: float) -> str:
    """Return a claimed range of speedups in words; it may have no upper end."""
    return f"above {low:g}" if high == math.inf else f"{low:.3g} to {high:.3g}"


def read_claims(path: Path = CLAIMS) -> tuple[Claim, ...]:
    """Return every claim in ``path``.

    Raises:
        BadInput: the file cannot be read, or a claim in it is not one.
    """
    return tuple(_claim(entry, path) for entry in read_entries(path))


@functools.cache
def _built_in_claims() -> tuple[Claim, ...]:
    return read_claims()


def _claim(entry: Entry, path: Path) -> Claim:
    where = f"claim {entry.name!r} in {path.name}"
    try:
        pair = _pair(entry)
        for toolchain in (entry.toolchain, entry.beside):
            _check_toolchain(toolchain)
        for condition in entry.conditions or ():
            find_condition(condition)
        runs = _runs(entry)
        memory = parse_size(entry.guest_memory) if entry.guest_memory else 0
        scaled = parse_size(entry.scaled_to) if entry.scaled_to else memory
        if runs:
            GuestMemory(scaled)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    except OSError as error:  # such as a name that is too long for a file
        raise BadInput(f"{where}: its variants cannot be read ({error.strerror}).") from None
    if pair[0] == pair[1]:
        raise BadInput(f"{where} compares {pair[0].name} with itself; name another variant.")
    if bool(entry.host) > (entry.operation in CLAIMED):
        raise BadInput(f"{where} is about a host, and no kernel has a part in it; leave it out.")
    if entry.operation in CLAIMED and not runs:
        raise BadInput(f"{where} is about the kernel's part; give it a density of random maps.")
    if scaled > memory:
        raise BadInput(f"{where} is scaled to more than its guest_memory; give less.")
    return Claim(
        **{name: getattr(entry, name) for name in _AS_THEY_ARE},
        low=entry.figure / NEAR if entry.figure else entry.low or 0.0,
        high=entry.figure * NEAR if entry.figure else entry.high or math.inf,
        toolchain=entry.toolchain or "",
        beside=entry.beside or "",
        conditions=entry.conditions or (),
        over_calls=entry.over == "calls",
        trace=entry.trace or "",
        runs=runs,
        again=bool(runs) and not entry.measured,
        guest_memory=memory,
        scaled_to=scaled,
        host=entry.host or "",
    )


def _pair(entry: Entry) -> Sequence[Variant | Method]:
    """Return what a claim compares: two variants, or two ways of asking the kernel."""
    names = entry.original, entry.variant
    if entry.operation in CLAIMED:
        return [find_methods([name])[0] for name in names]
    find_operation(entry.operation)
    return [find_variant(name, entry.operation) for name in names]


def _check_toolchain(name: str | None) -> None:
    if name is not None and name not in toolchain_names():
        raise BadInput(
            f"toolchain {name!r} is not known; choose from {', '.join(toolchain_names())}."
        )


def _runs(entry: Entry) -> RandomRuns | None:
    if entry.density is None:
        return None
    if entry.run is not None:
        return RandomRuns(entry.density, entry.run, fixed=True)
    if entry.mean_run is not None:
        return RandomRuns(entry.density, entry.mean_run)
    return random_pages(entry.density)


def find_claims(
    names: Sequence[str], path: Path = CLAIMS, own: Sequence[Path] = ()
) -> tuple[Claim, ...]:
    """Return the claims called ``names``, or all if there are none.

    Args:
        path: a file of claims.
        own: files of a repository's own, whose claims stand before those of ``path`` and are all
            that there are where none is named.

    Raises:
        BadInput: one is not there.
    """
    mine = {claim.name: claim for file in own for claim in read_claims(file)}
    known = mine | {claim.name: claim for claim in read_claims(path) if claim.name not in mine}
    for name in names:
        if name not in known:
            raise BadInput(f"claim {name!r} is not known; choose from {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(names) or mine or known)


def find_claim(operation: str, original: str, variant: str, condition: str | None) -> Claim | None:
    """Return the claim about ``variant`` against ``original`` under ``condition``, if any."""
    for claim in _built_in_claims():
        pair = (claim.operation, claim.original, claim.variant)
        if pair == (operation, original, variant) and condition in claim.conditions:
            return claim
    return None
