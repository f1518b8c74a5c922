"""The verdict on a claim, from the interval that was measured."""

from harness.claims.claim import NEAR, Claim

UNDECIDED, NOT_MEASURED = "undecided", "not measured"
_SHARP = 1.05
"""An interval whose ends are no further apart (high / low) decides, however narrow the claim is."""


def verdict(low: float, high: float, claim: Claim) -> str:
    """Judge the interval [low, high] of a speedup against a claimed range.

    What decides is where the whole interval lies, as seen from 1 (a claim of a slowdown is judged
    as that of a speedup by the reciprocals):

    - ``reproduced`` if all of it lies in the range, or reaches over an edge and is narrow;
    - ``undecided`` if it reaches over an edge and is wide: both that the claim holds and that it
      does not are compatible with what was measured;
    - ``stronger`` if all of it lies beyond the range, away from 1;
    - ``contradicted`` if all of it lies on the other side of 1 than the range;
    - ``weaker`` if all of it falls short of the range otherwise: it lies between the range and 1,
      or reaches across 1.

    Narrow is an interval (high / low) no wider than the claimed range, and no wider than the range
    that a single figure is taken for; the latter bounds ranges without an end too. A range of next
    to no width is decided by an interval of 5 %.
    """
    if low >= claim.low and high <= claim.high:
        return "reproduced"
    if low <= claim.high and high >= claim.low:
        narrow = min(max(claim.high / claim.low, _SHARP), NEAR**2)
        return "reproduced" if high <= low * narrow else UNDECIDED
    # Seen from a claim of a slowdown, the axis is turned round.
    faster = claim.high > 1
    beyond = low > claim.high if faster else high < claim.low
    if beyond:
        return "stronger"
    opposite = high < 1 if faster else low > 1
    return "contradicted" if opposite else "weaker"
