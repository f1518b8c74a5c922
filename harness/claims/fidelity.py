"""Fidelity: how near a variant is to the published code that it stands for, if it is at all."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from harness.base.errors import BadInput
from harness.claims.claim import Claim
from harness.claims.verdict import UNDECIDED
from harness.measurement.choice import Choice
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces, random_traces
from harness.native.built_variant import declared_operation
from harness.native.finding import find_variant
from harness.native.manifest import Manifest
from harness.native.operation import DEFAULT_OPERATION, find_operation
from harness.native.toolchain import find_toolchains
from harness.native.variant import Variant, is_built_in
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.draws import DEFAULT_SEED
from workloads.guest import GuestMemory

WITHIN = 1.05
"""Code that takes so many times as long, or that part of it, is taken for the same."""
BEYOND = 1.5
"""Code that takes more than so many times as long, or less than that part of it, is another matter.

Of the code in docs/claims.md none is: what differs most takes 1.46 times as long, on one map.
"""
FAITHFUL, NEAR, FAR = "faithful", "near", "far"
DENSITIES = (0.0, 0.001, 0.01, 0.1, 1.0)
"""Of the random maps on which both are timed, beside captured traces."""
MEMORY = GuestMemory(2**30)
"""The guest of these maps."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A variant, and the code that it stands for."""

    variant: Variant
    upstream: Variant
    published: str
    """Where the code is published, or what its manifest calls it."""

    def request(self, precision: float, toolchains: Sequence[str]) -> Request:
        """Ask for the time of both, of the code as if it were the original."""
        choice = Choice(self.upstream, (self.variant,), (), {}, frozenset())
        lineup = line_up(choice, find_toolchains(toolchains), noise_floor=False)
        conditions = [find_condition(name) for name in DEFAULT_CONDITIONS]
        traces = (
            *random_traces(DENSITIES, (), MEMORY, DEFAULT_SEED),
            *condition_traces(conditions, ("captured",)),
        )
        allocates = find_operation(self.variant.operation).allocates
        return Request(lineup, traces, precision, one_cpu=allocates)


def find_pairs(manifest: Manifest, claims: Sequence[Claim], names: Sequence[str]) -> list[Pair]:
    """Return the pairs of what ``manifest`` has and says that it checks.

    Args:
        claims: whose variants are meant.
        names: of further variants that are meant; all if there are neither claims nor names.

    Raises:
        BadInput: there are none.
    """
    meant = {name for claim in claims for name in (claim.original, claim.variant)} | {*names}
    checked = {name: entry.checks for name, entry in manifest.entries.items() if entry.checks}
    chosen = [name for name, checks in checked.items() if checks in meant or not meant]
    if not chosen:
        what = f" any of {', '.join(sorted(meant))}" if meant else ""
        raise BadInput(
            f"no variant in {manifest.path} checks{what or ' one of dirtyscan'}; give its table "
            'checks = "NAME", the variant that stands for it.'
        )
    return [_pair(manifest, name, checked[name]) for name in chosen]


def _pair(manifest: Manifest, name: str, checks: str) -> Pair:
    operation = declared_operation(manifest.variant(name, DEFAULT_OPERATION))
    upstream = manifest.variant(name, operation)
    published = manifest.entries[name].published or name
    return Pair(find_variant(checks, operation), upstream, published)


def split_names(names: Sequence[str], claims: Sequence[Claim]) -> tuple[list[Claim], list[str]]:
    """Tell claims from variants.

    Raises:
        BadInput: one is neither.
    """
    known = {claim.name: claim for claim in claims}
    others = [name for name in names if name not in known]
    for name in others:
        if not is_built_in(name):
            raise BadInput(
                f"{name!r} is neither a claim nor a variant of dirtyscan's own; see 'dirtyscan "
                "claims' and 'dirtyscan variants OPERATION'."
            )
    return [known[name] for name in names if name in known], others


def fidelity(low: float, high: float) -> str:
    """Judge the interval [low, high] of the code's time divided by the variant's.

    ``faithful`` if all of it lies within :data:`WITHIN` either way, ``far`` if all of it lies
    beyond :data:`BEYOND` on one side, ``near`` if all of it lies outside of :data:`WITHIN` and it
    is not far, ``undecided`` if it reaches over an edge of :data:`WITHIN`.
    """
    if high < 1 / BEYOND or low > BEYOND:
        return FAR
    if low >= 1 / WITHIN and high <= WITHIN:
        return FAITHFUL
    return NEAR if high < 1 / WITHIN or low > WITHIN else UNDECIDED


def overall(rows: pd.DataFrame) -> str:
    """Judge one pair over all maps: ``far`` if it is that on any, then ``near``, ``undecided``."""
    found = {*rows["verdict"]}
    return next(word for word in (FAR, NEAR, UNDECIDED, FAITHFUL) if word in found)


def said_of(rows: pd.DataFrame) -> str:
    """Say what came out of one pair, over all maps.

    Args:
        rows: of ``fidelity.csv``.
    """
    name, upstream, maps = rows["variant"].iloc[0], rows["upstream"].iloc[0], len(rows)
    if (rows["verdict"] == FAITHFUL).all():
        return f"{name} is faithful to {upstream} within {WITHIN - 1:.0%} on all of {maps} maps"
    verdict = overall(rows)
    ratios = rows.loc[rows["verdict"] == verdict, "ratio"]
    takes = (
        f"which takes {ratios.min():.2f} to {ratios.max():.2f} times as long on {len(ratios)} of "
        f"{maps} maps"
    )
    if verdict == FAR:
        return f"{name} is far from {upstream}, {takes}: it does not stand for it"
    if verdict == NEAR:
        return f"{name} is near {upstream}, {takes}"
    many = (rows["verdict"] == UNDECIDED).sum()
    return (
        f"whether {name} is faithful to {upstream} is undecided on {many} of {maps} maps; "
        "give more with --budget"
    )
