"""From samples to a speedup and its 95 % interval.

``docs/statistics.md`` explains the method to a sceptical reader.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

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


def snapshot_log_speedups(original: Seconds, variant: Seconds) -> Seconds:
    """Return the log of each snapshot's speedup within one process.

    The median over the rounds of the ratio of two calls that were made next to each other. A call
    into which the machine put something else (an interrupt, another program's turn) is an outlier
    to a median, however large; what both calls felt alike cancels in the ratio.

    Args:
        original, variant: seconds of one call, (rounds, snapshots).

    Returns:
        Natural logarithms, (snapshots,).
    """
    return np.asarray(np.median(np.log(original / variant), axis=0))


def process_log_speedup(original: Seconds, variant: Seconds) -> float:
    """Return the log of the speedup on a whole trace within one process.

    What a migration pays is the sum over its snapshots, so this is the ratio of two sums: that of
    the original's typical times, and the same divided by each snapshot's speedup. The first is only
    a weight; errors in it hardly reach the ratio.
    """
    weights = np.median(original, axis=0)
    speedups = np.exp(snapshot_log_speedups(original, variant))
    return float(np.log(weights.sum() / (weights / speedups).sum()))


def confidence_interval(process_logs: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the speedup over processes with Student's t interval.

    Processes are the units that are independent of each other: rounds inside one share its address
    layout and its stretch of time. Each process gives one number (its rounds are summed up before),
    so the interval is right whatever the correlation of rounds inside a process. This is the
    two-level design of Kalibera and Jones, "Rigorous benchmarking in reasonable time" (ISMM 2013),
    on the log of the ratio. A bootstrap over so few processes would be too narrow.
    """
    logs = np.asarray(process_logs, dtype=np.float64)
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(float(np.exp(mean)), 0.0, float("inf"))
    error = float(logs.std(ddof=1)) / np.sqrt(len(logs))
    reach = float(stdtrit(len(logs) - 1, (1 + confidence) / 2)) * error
    return Interval(float(np.exp(mean)), float(np.exp(mean - reach)), float(np.exp(mean + reach)))
