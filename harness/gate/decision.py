"""Decisions: is a drop larger than the tolerance, at 99 % confidence for all rows together?

Two rank tests, both one-sided, on the logarithms that the measuring processes gave:

- a row with a pair in each process (another revision, a requirement): Wilcoxon's signed-rank test;
- a row whose two sides were measured in different runs (a stored reference): the rank-sum test of
  Mann and Whitney.

The null hypothesis is that the speed fell by the tolerance or less. The p-values of all rows of one
kind of evidence are corrected together by Holm's method (S. Holm, "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6, 1979), which bounds the chance of
even one false alarm by 1 %, whatever depends on what. Who looks at the rows several times as they
come divides that chance by the number of looks (Bonferroni). A rank test on n pairs cannot give
less than 2**-n, so :func:`fewest_for` says how many processes a number of rows needs.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import mannwhitneyu, wilcoxon

from harness.gate.finding import Change
from harness.statistics.interval import Interval, confidence_interval

ALPHA = 0.01
"""The chance of a false alarm, over all rows together."""
_SPARE = 4
"""Processes beyond the fewest, so that one of them may disagree."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How the speed of a row changed."""

    interval: Interval
    """Of speed after / speed before; 95 %."""
    p: float
    """The chance of such a fall if the speed fell by the tolerance or less."""


def compare_pairs(logs: Sequence[float], tolerance: float) -> Comparison:
    """Compare two sides that each process has measured in turn.

    Args:
        logs: of speed after / speed before, by process.
    """
    beyond = np.asarray(logs) - math.log1p(-tolerance)
    p = float(wilcoxon(beyond, alternative="less").pvalue)
    return Comparison(confidence_interval(logs), p)


def compare_runs(after: Sequence[float], before: Sequence[float], tolerance: float) -> Comparison:
    """Compare two runs.

    Args:
        after, before: logs of a speedup over the same original, by process.
    """
    new, old = np.asarray(after), np.asarray(before)
    p = float(mannwhitneyu(new, old + math.log1p(-tolerance), alternative="less").pvalue)
    return Comparison(_shift(new, old), p)


def _shift(new: np.ndarray, old: np.ndarray) -> Interval:
    """Return the median of all differences, and its interval by the rank-sum test.

    Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", sections 4.2 and 4.3, with
    the normal approximation of the statistic.
    """
    differences = np.sort(np.subtract.outer(new, old).ravel())
    count = len(differences)
    spread = math.sqrt(count * (len(new) + len(old) + 1) / 12)
    left_out = max(0, math.floor(count / 2 - float(ndtri(0.975)) * spread))
    low, high = differences[left_out], differences[count - 1 - left_out]
    value = float(np.median(differences))
    return Interval(math.exp(value), math.exp(float(low)), math.exp(float(high)))


def decide(
    comparisons: Sequence[Comparison],
    tolerances: Sequence[float],
    width: float | None = None,
    looks: int = 1,
) -> list[Change]:
    """Return what became of each row; slower ones are so at :data:`ALPHA` for all together.

    Args:
        tolerances: the share of its speed that each row may lose.
        width: see below.
        looks: how many times the rows are decided on as more of them is measured.

    A row is undecided if its interval does not rule out a fall beyond the tolerance, and either is
    wider than ``width`` on either side, by default the tolerance (the machine was too noisy), or
    lies beyond it as a whole (there were too few processes to be so certain).
    """
    slower = holm([comparison.p for comparison in comparisons], ALPHA / looks)
    return [
        Change.SLOWER
        if is_slower
        else _otherwise(comparison.interval, tolerance, tolerance if width is None else width)
        for comparison, tolerance, is_slower in zip(comparisons, tolerances, slower, strict=True)
    ]


def _otherwise(interval: Interval, tolerance: float, width: float) -> Change:
    if interval.low > 1 / (1 - tolerance):
        return Change.FASTER
    if interval.low >= 1 - tolerance:
        return Change.UNCHANGED
    # All of it may lie beyond, where there are too few processes to be certain for all rows.
    open_ = interval.half_width > width or interval.high < 1 - tolerance
    return Change.UNDECIDED if open_ else Change.UNCHANGED


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Return which null hypotheses Holm's method rejects at ``alpha`` for all together."""
    rejected = [False] * len(p_values)
    for rank, row in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[row] > alpha / (len(p_values) - rank):
            break
        rejected[row] = True
    return rejected


def fewest_for(rows: int, looks: int = 1) -> int:
    """Return how many processes call one of ``rows`` slower if all agree, and fewer cannot."""
    return math.ceil(math.log2(max(1, rows) * looks / ALPHA))


def processes_for(rows: int, looks: int = 1) -> int:
    """Return how many processes call one of ``rows`` slower even if one of them disagrees."""
    return fewest_for(rows, looks) + _SPARE
