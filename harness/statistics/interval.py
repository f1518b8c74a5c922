"""From samples to a speedup and its 95 % interval.

``docs/statistics.md`` explains the method to a sceptical reader.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A speedup (original time / variant time) with the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's width as a share of the value; infinite if it has no bounds."""
        if not np.isfinite(self.high):
            return float("inf")
        return float(np.log(self.high / self.low)) / 2


def typical_seconds(original: Seconds, variant: Seconds) -> tuple[Seconds, Seconds]:
    """Return the typical time of each call within one process, the original's and the variant's.

    The original's is the median over the rounds. The variant's is that divided by the speedup: the
    median of the ratios of two calls that were made next to each other. A call into which the
    machine put something else (an interrupt, another program's turn) is an outlier to a median,
    however large; what both calls felt alike cancels in the ratio. The original's time is only a
    weight then; errors in it hardly reach a ratio of sums.

    Args:
        original, variant: seconds of one call, (rounds, ...).

    Returns:
        Seconds, (...).
    """
    before = np.median(original, axis=0)
    speedup = np.exp(np.median(np.log(original / variant), axis=0))
    return np.asarray(before), np.asarray(before / speedup)


def snapshot_log_speedups(original: Seconds, variant: Seconds) -> Seconds:
    """Return the log of each snapshot's speedup within one process, over all placements.

    Args:
        original, variant: seconds of one call, (rounds, placements, snapshots).

    Returns:
        Natural logarithms, (snapshots,).
    """
    before, after = typical_seconds(original, variant)
    return np.asarray(np.log(before.sum(axis=0) / after.sum(axis=0)))


def snapshot_speedups(processes: Iterable[tuple[Seconds, Seconds]]) -> Seconds:
    """Return each snapshot's speedup over all processes, (snapshots,).

    Args:
        processes: of each the original's and the variant's seconds of one call, (rounds,
            placements, snapshots).
    """
    return np.exp(centre(np.array([snapshot_log_speedups(*pair) for pair in processes])))


def process_log_speedup(original: Seconds, variant: Seconds) -> float:
    """Return the log of the speedup on a whole trace within one process.

    What a migration pays is the sum over its snapshots, and nobody knows at which placement, so
    this is the ratio of the sums of typical times over all snapshots and all placements. Both are
    summed up inside a process, and not over processes: what placement does is large and takes few
    values, and of such values no rank test gives the mean (``docs/statistics.md``).

    Args:
        original, variant: seconds of one call, (rounds, placements, snapshots).
    """
    before, after = typical_seconds(original, variant)
    return float(np.log(before.sum() / after.sum()))


def confidence_interval(process_logs: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the speedup over processes with its confidence interval.

    Processes are the units that are independent of each other: rounds inside one share its address
    layout and its stretch of time. Each process gives one number, its rounds summed up before, so
    the interval is right whatever the correlation of rounds inside a process (the two levels of
    Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013).

    Over processes the value is the Hodges-Lehmann estimate, the median of the means of all pairs,
    and the interval is the one that belongs to it, from Wilcoxon's signed-rank test (Hodges and
    Lehmann 1963; Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", section 3.2). A
    process that was disturbed all along is an outlier to it, which to Student's t it is not.

    With so few processes that ranks cannot give the confidence (5 for 95 %), Student's t is used,
    and with one process the interval has no bounds.
    """
    logs = np.asarray(process_logs, dtype=np.float64)
    if len(logs) < 2:
        return Interval(float(np.exp(logs[0])), 0.0, float("inf"))
    left_out = _outer_pairs(len(logs), confidence)
    if left_out == 0:
        value, low, high = _student(logs, confidence)
    else:
        means = np.sort(_pair_means(logs))
        value = float(np.median(means))
        low, high = float(means[left_out - 1]), float(means[-left_out])
    return Interval(float(np.exp(value)), float(np.exp(low)), float(np.exp(high)))


def _pair_means(logs: Seconds) -> Seconds:
    """Return the mean of every pair along the first axis, of each with itself too."""
    first, second = np.triu_indices(len(logs))
    return np.asarray((logs[first] + logs[second]) / 2)


def centre(process_logs: Seconds) -> Seconds:
    """Return the Hodges-Lehmann estimate over the first axis: the median of the means of pairs.

    The same that :func:`confidence_interval` gives as the value of a whole trace.
    """
    return np.asarray(np.median(_pair_means(process_logs), axis=0))


@functools.cache
def _outer_pairs(processes: int, confidence: float) -> int:
    """Return which mean of a pair, counted from either end, bounds the interval; 0 if none can.

    It is the largest k for which the signed-rank statistic is below k with a probability of at
    most (1 - confidence) / 2. The statistic is the sum of those of the ranks 1..n whose sign is
    positive, so its distribution is that of the sum over all 2**n sets of ranks.
    """
    ways = np.ones(1)
    for rank in range(1, processes + 1):
        with_rank = np.concatenate([np.zeros(rank), ways]) / 2
        ways = with_rank + np.concatenate([ways, np.zeros(rank)]) / 2
    # Rounding errors must not decide where the exact probability is just the one allowed.
    allowed = (1 - confidence) / 2 + 1e-12
    return int(np.searchsorted(np.cumsum(ways), allowed, side="right"))


def _student(logs: Seconds, confidence: float) -> tuple[float, float, float]:
    # Few come here, and loading it takes a quarter as long as all else that a command loads.
    from scipy.special import stdtrit

    mean = float(logs.mean())
    error = float(logs.std(ddof=1)) / np.sqrt(len(logs))
    reach = float(stdtrit(len(logs) - 1, (1 + confidence) / 2)) * error
    return mean, mean - reach, mean + reach
