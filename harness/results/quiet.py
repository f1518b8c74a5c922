"""What the rounds that nothing has slowed say alone, where something has slowed many."""

import dataclasses

from harness.claims.claim import Claim
from harness.claims.verdict import Figures, judge
from harness.machine.state import SLOWED_SHARE
from harness.measurement.run import Pair, Run
from harness.statistics.interval import (
    confidence_interval,
    process_log_speedup,
    snapshot_speedups,
)

FEWEST = 6
"""Processes of which something is said: ranks give an interval from there on."""


@dataclasses.dataclass(frozen=True)
class Quiet:
    """The columns of ``speedups.csv`` about it, None and empty where nothing is to be said."""

    slowed: float
    """The share of the original's rounds that something has slowed by a quarter or more."""
    quiet_speedup: float | None = None
    quiet_low: float | None = None
    quiet_high: float | None = None
    quiet_verdict: str = ""


def find_quiet(run: Run, pair: Pair, claim: Claim | None) -> Quiet:
    """Return what the other rounds say of a comparison alone.

    Nothing where few rounds were slowed, or where fewer processes than an interval takes have a
    round that was not.
    """
    key, number = pair
    slowed = run.slowed_on(key)
    elapsed = run.quiet_elapsed(key)
    if slowed <= SLOWED_SHARE or len(elapsed) < FEWEST:
        return Quiet(slowed)
    original = run.plan.lanes[number].original
    pairs = [(seconds[:, original], seconds[:, number]) for seconds in elapsed]
    found = confidence_interval([process_log_speedup(*pair) for pair in pairs])
    figures = Figures(found.value, found.low, found.high, snapshot_speedups(pairs))
    said = judge(figures, claim) if claim else ""
    return Quiet(slowed, found.value, found.low, found.high, said)
