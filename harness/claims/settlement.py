"""Settling claims: which claims are measured together, on what, and what came out."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.base.errors import BadInput
from harness.claims.calls import calls_of
from harness.claims.claim import Claim
from harness.claims.settled import Settled, measured, not_measured
from harness.kernel.claimed import CLAIMED, claim_obstacle, compare
from harness.kernel.method import find_methods
from harness.machine.virtualization import host_in_words, read_virtualization
from harness.measurement.choice import Choice, choose
from harness.measurement.lineup import line_up
from harness.measurement.request import (
    DEFAULT_ORIGINS,
    Draft,
    Request,
    condition_traces,
    random_trace,
)
from harness.measurement.tell import Tell
from harness.native.built_variant import describe_here
from harness.native.finding import find_variant
from harness.native.operation import find_operation
from harness.native.toolchain import Toolchain, find_toolchain, find_toolchains
from harness.trial.failure import Failure
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.draws import DEFAULT_SEED
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns
from workloads.trace import open_trace

SNAPSHOTS = 2
_NOT_OF_GUESTS = (
    *("placement_low", "placement_high"),
    *("slowed", "quiet_speedup", "quiet_low", "quiet_high"),
)
LARGE = 2**39
"""Of a guest of so many bytes, a map more or a round more takes longer than it tells."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Claims that are measured in one run: of one operation, against one original, built alike."""

    operation: str
    original: str
    toolchains: tuple[str, ...]
    """Those that they name, if they name any."""
    large: bool
    """Whether the guests that are measured are large; see :data:`LARGE`."""
    again: bool
    """Whether maps are called again at once, as :attr:`Claim.again` says."""
    claims: tuple[Claim, ...]
    name: str
    """Fit for a folder, and of no other group."""

    @functools.cached_property
    def choice(self) -> Choice:
        """The variants that the claims are about, and what they are compared with."""
        variants = tuple(dict.fromkeys(claim.variant for claim in self.claims))
        return choose(variants, self.operation, self.original)

    @property
    def given(self) -> "tuple[Given, ...]":
        """The random maps and trace files that the claims are about, each once; small ones first.

        They are the last traces of the run, in this order.
        """
        maps = {(claim.runs, claim.scaled_to) for claim in self.claims if claim.runs}
        traces = dict.fromkeys(Path(claim.trace) for claim in self.claims if claim.trace)
        return (*sorted(maps, key=lambda key: (key[1], key[0].name)), *traces)


Given = tuple[RandomRuns, int] | Path
"""Random maps of a guest of so many bytes, or a trace file."""


def group_claims(claims: Sequence[Claim]) -> list[Group]:
    """Return ``claims`` as few runs, in their order."""
    groups: dict[tuple[str, str, tuple[str, ...], bool, bool], list[Claim]] = {}
    for claim in claims:
        large = claim.scaled_to >= LARGE
        kind = (claim.operation, claim.original, claim.toolchains, large, claim.again)
        groups.setdefault(kind, []).append(claim)
    named: dict[str, Group] = {}
    for kind, found in groups.items():
        operation, original, *_ = kind
        plain = f"{operation}-{Path(original).stem}"
        # Files of one name may lie in several folders.
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain([plain], numbered) if name not in named)
        named[name] = Group(*kind, tuple(found), name)
    return list(named.values())


def obstacle(claim: Claim) -> str:
    """Say why ``claim`` cannot be measured here; empty if, as far as is known, it can."""
    try:
        if claim.operation in CLAIMED:
            GuestMemory(claim.scaled_to)
            return claim_obstacle((claim.original, claim.variant), claim.host)
        for name in (claim.original, claim.variant):
            if payer := describe_here(find_variant(name, claim.operation)).paid_in:
                return (
                    f"the cost of variant {name} is paid in {payer}, so its own time says nothing"
                )
        if claim.toolchain:
            find_toolchain(claim.toolchain)
        if claim.runs:
            GuestMemory(claim.scaled_to)
        if claim.trace:
            open_trace(Path(claim.trace)).verify()
    except BadInput as error:
        return str(error).removesuffix(".")
    return ""


def request_group(group: Group, precision: float) -> Request:
    """Ask for what the claims of ``group`` are about.

    The letter's conditions are measured too, to say how the same pairs fare on captured traces.
    """
    named = [condition for claim in group.claims for condition in claim.conditions]
    conditions = [find_condition(name) for name in dict.fromkeys([*DEFAULT_CONDITIONS, *named])]
    origins = DEFAULT_ORIGINS if named else ("captured",)
    given = (one if isinstance(one, Path) else _random_trace(*one) for one in group.given)
    # What chance alone does is in the intervals; the original's time is better spent on them.
    lineup = line_up(group.choice, _toolchains(group), noise_floor=False)
    return Request(
        lineup,
        (*condition_traces(conditions, origins), *given),
        precision,
        # The share of calls in a range is known as well as there are snapshots.
        quick=not any(claim.over_calls for claim in group.claims),
        rounds=1 if group.large else find_operation(group.operation).claim_rounds,
        one_cpu=True,
        other_work=not group.again,
    )


def _toolchains(group: Group) -> list[Toolchain]:
    """Return what the variants of ``group`` are compiled with, as far as it is here."""
    here = []
    for place, name in enumerate(group.toolchains):
        try:
            find_toolchain(name)
        except BadInput:
            if place == 0:  # what they are judged by
                raise
            continue
        here.append(name)
    return find_toolchains(here)


def _random_trace(runs: RandomRuns, size: int) -> Draft:
    name = f"{size}-{runs.name}"
    snapshots = 1 if size >= LARGE else SNAPSHOTS
    return random_trace(GuestMemory(size), runs, snapshots, DEFAULT_SEED, name)


def settle_with_guests(group: Group, precision: float, budget: float, tell: Tell) -> list[Settled]:
    """Measure the claims of ``group``, which are on the kernel's part, and judge them.

    The figures of one host are not another's; ``toolchain`` says which it was.
    """
    host = host_in_words(read_virtualization())
    none = pd.DataFrame({"speedup": []})
    settled: list[Settled] = []
    for claim in group.claims:
        original, variant = (find_methods([name])[0] for name in (claim.original, claim.variant))
        assert claim.runs  # none is about anything else
        maps = claim.runs, GuestMemory(claim.scaled_to)
        try:
            found = compare(claim.operation, (original, variant), maps, precision, budget, tell)
        except BadInput as error:
            settled.append(not_measured(claim, str(error).removesuffix(".")))
            continue
        row: dict[Hashable, object] = {
            "guest_memory_bytes": claim.scaled_to,
            "speedup": found.speedup.value,
            "speedup_low": found.speedup.low,
            "speedup_high": found.speedup.high,
            **dict.fromkeys(_NOT_OF_GUESTS, math.nan),
            "original_seconds": found.original_seconds,
            "variant_seconds": found.variant_seconds,
            "toolchain": host,
        }
        settled.append(measured(claim, row, np.array([found.speedup.value]), none))
    return settled


def settle(
    group: Group,
    rows: pd.DataFrame,
    calls: pd.DataFrame,
    traces: int,
    failures: Sequence[Failure],
) -> list[Settled]:
    """Judge every claim of ``group`` by its run.

    Args:
        rows: of ``speedups.csv``.
        calls: its single calls.
        traces: how many there were, on each of which a sound variant has a row.
        failures: those of the run.
    """
    lanes = group.choice.called
    failed = {failure.variant: failure.sentence() for failure in failures}
    settled = []
    for claim in group.claims:
        lane = lanes[claim.variant]
        built = [of_one for _, of_one in rows[rows["variant"] == lane].groupby(BUILT, sort=False)]
        short = next((len(of_one) for of_one in built if len(of_one) != traces), None)
        if lane in failed or short is not None or not built:
            reason = failed.get(lane, f"its run has {short or 0} rows of it, not {traces}")
            settled.append(not_measured(claim, reason))
        else:
            settled += _find(claim, group, built, calls)
    return settled


BUILT = ["toolchain", "original_toolchain"]
"""The columns that tell apart rows of one variant on one trace."""


def _find(
    claim: Claim, group: Group, built: Sequence[pd.DataFrame], calls: pd.DataFrame
) -> list[Settled]:
    """Judge ``claim`` by the rows of its variant: one for each trace, in the order of the run.

    Args:
        built: those by its toolchain, and by the one beside it if there is one.
    """
    rows, *others = built
    of_conditions = rows.head(len(rows) - len(group.given))
    captured = of_conditions[
        (of_conditions["origin"] == "captured")
        & of_conditions["condition"].isin(claim.conditions or DEFAULT_CONDITIONS)
    ]
    if claim.conditions:
        chosen = of_conditions[of_conditions["condition"].isin(claim.conditions)]
    else:
        about = (claim.runs, claim.scaled_to) if claim.runs else Path(claim.trace)
        chosen = rows.iloc[[len(of_conditions) + group.given.index(about)]]
    places: list[int] = rows.index.get_indexer(chosen.index).tolist()
    beside = [other.iloc[places].to_dict("records") for other in others[:1]]
    return [
        measured(claim, row, calls_of(row, calls), captured, *other)
        for row, *other in zip(chosen.to_dict("records"), *beside, strict=True)
    ]
