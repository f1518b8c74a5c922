"""A run: a plan that was measured, and what was found."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.machine.state import SLOWED_SHARE, Disturbance
from harness.measurement.plan import Plan
from harness.measurement.samples import Samples
from harness.native.placement import CLASSES
from harness.statistics.interval import Interval, Seconds, confidence_interval
from harness.statistics.placement import Part, parts_of, placement_factors
from harness.statistics.steadiness import slowed_rounds
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
        """Return the seconds of one call on a trace, by process.

        Each (rounds, lanes, classes, snapshots).
        """
        return [samples.elapsed[key] for samples in self.samples if key in samples.elapsed]

    @functools.cached_property
    def _slowed(self) -> Mapping[str, tuple[NDArray[np.bool_], ...]]:
        """By trace and process, which rounds something has slowed, in any of the originals.

        The older side of a variant that has failed is none any more.
        """
        found = {}
        failed = {failure.lane for failure in self.failures}
        originals = sorted({original for original, _ in self.plan.pairs()} - failed)
        for trace in self.plan.traces:
            measured = [one for one in self.samples if trace.key in one.elapsed]
            by_original = [
                slowed_rounds(
                    [one.elapsed[trace.key][:, lane] for one in measured],
                    [one.places[lane] for one in measured],
                )
                for lane in originals
            ]
            found[trace.key] = tuple(
                np.logical_or.reduce(rounds) for rounds in zip(*by_original, strict=True)
            )
        return found

    @functools.cached_property
    def slowed(self) -> float:
        """The share of all rounds that something has slowed."""
        rounds = [one for slowed in self._slowed.values() for one in slowed]
        return float(np.concatenate(rounds).mean()) if rounds else 0.0

    @property
    def is_slowed(self) -> bool:
        """Whether that is so much that speedups are those of a core that somebody shares."""
        return self.slowed > SLOWED_SHARE

    def slowed_on(self, key: str) -> float:
        """Return the share of the rounds on a trace that something has slowed."""
        return float(np.concatenate(self._slowed[key]).mean())

    def quiet_elapsed(self, key: str) -> list[Seconds]:
        """Return :meth:`elapsed` without what was slowed, of the processes of which any is left."""
        rounds = zip(self.elapsed(key), self._slowed[key], strict=True)
        return [seconds[~slowed] for seconds, slowed in rounds if not slowed.all()]

    def placement_factors(self, pair: Pair) -> NDArray[np.float64] | None:
        """Return what placement does to a comparison; None if the variant's was not varied.

        Returns:
            Factors of its speedup, (classes of the original, classes of the variant).
        """
        key, number = pair
        lane = self.plan.lanes[number]
        if not lane.placed:
            return None
        parts: list[Part] = []
        for samples in self.samples:
            if key in samples.elapsed:
                elapsed = samples.elapsed[key]
                places = (samples.places[one] for one in (lane.original, number))
                classes = [(a % CLASSES, b % CLASSES) for a, b in zip(*places, strict=True)]
                parts += parts_of(elapsed[:, lane.original], elapsed[:, number], classes)
        return placement_factors(parts, CLASSES)

    def typical_seconds(self, key: str, lane: int) -> Seconds:
        """Return the typical seconds of a call on each snapshot, the mean over placements.

        Medians over the rounds of a process, and over processes.
        """
        medians = [np.median(e[:, lane], axis=0).mean(axis=0) for e in self.elapsed(key)]
        return np.asarray(np.median(medians, axis=0))
