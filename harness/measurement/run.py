"""A run: a plan that was measured, and what was found."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.machine.state import Disturbance
from harness.measurement.plan import Plan
from harness.measurement.samples import Samples
from harness.statistics.interval import Interval, Seconds, confidence_interval
from harness.trial.failure import Failure

Pair = tuple[str, int]
"""A comparison: the key of a trace, and the lane of a variant (or of the noise floor)."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A plan with all that was measured of it."""

    plan: Plan
    base: Path
    """The folder that the plan's paths start from, for as long as it is there."""
    samples: tuple[Samples, ...]
    """Of every process: the calibration first, then those that measured."""
    logs: Mapping[Pair, tuple[float, ...]]
    """The natural logarithm of the speedup in each process."""
    failures: tuple[Failure, ...]
    """Variants that went astray, of which nothing else is said."""
    disturbance: Disturbance
    """What the machine did besides."""

    @functools.cached_property
    def speedups(self) -> Mapping[Pair, Interval]:
        """Every comparison's speedup over all processes."""
        return {pair: confidence_interval(logs) for pair, logs in self.logs.items()}

    @property
    def judged(self) -> list[Pair]:
        """The comparisons that say something of a variant's speed."""
        return [pair for pair in self.logs if self.plan.lanes[pair[1]].is_judged]

    @property
    def processes(self) -> dict[str, int]:
        """By trace, how many processes measured it."""
        counts = {trace.key: 0 for trace in self.plan.traces}
        for (key, _), logs in self.logs.items():
            counts[key] = max(counts[key], len(logs))
        return counts

    def stopped(self, pair: Pair) -> str:
        """Say ``precise``, or ``budget`` if time ran out before the interval was narrow enough."""
        enough = len(self.logs[pair]) >= self.plan.processes
        narrow = self.speedups[pair].half_width <= self.plan.precision
        return "precise" if enough and narrow else "budget"

    def elapsed(self, key: str) -> list[Seconds]:
        """Return the seconds of one call on a trace, (rounds, lanes, snapshots), by process."""
        return [samples.elapsed[key] for samples in self.samples if key in samples.elapsed]

    def typical_seconds(self, key: str, lane: int) -> Seconds:
        """Return the typical seconds of a call on each snapshot: medians in and over processes."""
        medians = [np.median(elapsed[:, lane], axis=0) for elapsed in self.elapsed(key)]
        return np.asarray(np.median(medians, axis=0))
