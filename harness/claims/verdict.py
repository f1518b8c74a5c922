"""The verdict on a claim: one rule for published figures, one for ranges over single calls."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from harness.claims.claim import NEAR, Claim

UNDECIDED, NOT_MEASURED = "undecided", "not measured"
REPRODUCED, IN_PART = "reproduced", "in part"
NARROWER = "narrower than the letter"
MOST_CALLS, SOME_CALLS = 0.5, 0.05
"""The shares of calls inside a range from which it is reproduced, and in part."""
SHARP = 1.05
"""An interval whose ends are no further apart (high / low) decides, however narrow the claim is."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a claim is judged by: the speedup on a whole trace, and those of its single calls."""

    speedup: float
    low: float
    """The ends of its 95 % interval."""
    high: float
    calls: NDArray[np.float64]
    """The speedup of each call that was measured, (calls,)."""

    def at(self, factor: float) -> "Figures":
        """Return what they are where every speedup is so many times as high."""
        return Figures(
            self.speedup * factor, self.low * factor, self.high * factor, self.calls * factor
        )


@dataclasses.dataclass(frozen=True)
class Shares:
    """Where single calls lie, as shares of them; together 1."""

    below: float
    """Below the claimed range: slower than that."""
    within: float
    above: float


def judge(figures: Figures, claim: Claim) -> str:
    """Return the verdict on ``claim``.

    A claim of a figure is judged by the speedup on the whole trace (:func:`verdict`). A range that
    its source gives over single calls is judged by them:

    - ``reproduced`` if at least half of the calls lie in it;
    - ``in part`` if at least a twentieth do;
    - otherwise ``stronger``, ``weaker`` or ``contradicted`` by the median of the calls outside;
    - ``undecided`` if the ends of the interval on the whole trace say other words, all calls moved
      with them, and are more than 5 % apart.
    """
    if not claim.over_calls:
        return verdict(figures.low, figures.high, claim)
    word = _word(figures.calls, claim)
    if figures.high <= figures.low * SHARP:
        return word
    ends = (figures.calls * (end / figures.speedup) for end in (figures.low, figures.high))
    return word if all(_word(calls, claim) == word for calls in ends) else UNDECIDED


def _word(calls: NDArray[np.float64], claim: Claim) -> str:
    within = shares(calls, claim).within
    if within >= MOST_CALLS:
        return REPRODUCED
    if within >= SOME_CALLS:
        return IN_PART
    outside = calls[(calls < claim.low) | (calls > claim.high)]
    median = float(np.percentile(outside, 50, method="lower"))
    return verdict(median, median, claim)


def shares(calls: NDArray[np.float64], claim: Claim) -> Shares:
    """Return where ``calls`` lie as seen from the range of ``claim``."""
    below, above = float((calls < claim.low).mean()), float((calls > claim.high).mean())
    return Shares(below, 1 - below - above, above)


def usual_range(calls: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range from which a twentieth of ``calls`` is left out at either end."""
    low, high = np.percentile(calls, (5, 95))
    return float(low), float(high)


def remark(figures: Figures, claim: Claim) -> str:
    """Return what is to be said beside a verdict; empty if that is nothing.

    Calls may lie inside a range and reach over a small part of it only: less than half, of their
    usual range, on a scale of ratios.
    """
    if not claim.over_calls or judge(figures, claim) not in (REPRODUCED, IN_PART):
        return ""
    low, high = usual_range(figures.calls)
    reached = math.log(min(high, claim.high) / max(low, claim.low))
    return NARROWER if reached < math.log(claim.high / claim.low) / 2 else ""


def verdict(low: float, high: float, claim: Claim) -> str:
    """Judge the interval [low, high] of a speedup against a claimed range.

    What decides is where the whole interval lies, as seen from 1 (a claim of a slowdown is judged
    as that of a speedup by the reciprocals):

    - ``reproduced`` if all of it lies in the range, or reaches over an edge and is narrow;
    - ``undecided`` if it reaches over an edge and is wide: both that the claim holds and that it
      does not are compatible with what was measured; or if it reaches across 1, of which the
      range has one side alone: whether the variant is faster at all is not known then;
    - ``stronger`` if all of it lies beyond the range, away from 1;
    - ``contradicted`` if all of it lies on the other side of 1 than the range;
    - ``weaker`` if all of it falls short of the range otherwise: it lies between the range and 1,
      or reaches across 1.

    Narrow is an interval (high / low) no wider than the claimed range, and no wider than the range
    that a single figure is taken for; the latter bounds ranges without an end too. A range of next
    to no width is decided by an interval of 5 %.
    """
    if low >= claim.low and high <= claim.high:
        return REPRODUCED
    if low <= claim.high and high >= claim.low:
        narrow = min(max(claim.high / claim.low, SHARP), NEAR**2)
        one_sided = (claim.low >= 1) != (claim.high <= 1)
        across = one_sided and low < 1 < high
        return REPRODUCED if high <= low * narrow and not across else UNDECIDED
    # Seen from a claim of a slowdown, the axis is turned round.
    faster = claim.high > 1
    beyond = low > claim.high if faster else high < claim.low
    if beyond:
        return "stronger"
    opposite = high < 1 if faster else low > 1
    return "contradicted" if opposite else "weaker"
