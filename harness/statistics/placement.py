"""What placement does to a speedup: one for each pair of classes that two codes may be in."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import Seconds, typical_seconds

_SEEN = 1.02
"""Placement is said to matter from such a ratio between the fastest and the slowest on."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the rounds of a process, in which two pieces of code lie at certain places."""

    original_class: int
    variant_class: int
    log: float
    """Of the speedup in this part, over that of the whole process."""


def parts_of(original: Seconds, variant: Seconds, classes: Sequence[tuple[int, int]]) -> list[Part]:
    """Return what each part of a process says.

    Args:
        original, variant: seconds of one call, (rounds, parts, snapshots).
        classes: by part, the class of the original and that of the variant.
    """
    before, after = (typical.sum(axis=-1) for typical in typical_seconds(original, variant))
    logs = np.log(before / after)
    over_all = (logs - logs.mean()).tolist()
    return [Part(*pair, log) for pair, log in zip(classes, over_all, strict=True)]


def placement_factors(parts: Sequence[Part], classes: int) -> NDArray[np.float64]:
    """Return what single builds would have shown, over what all show together.

    In a part both pieces of code are timed in turn, so that what the machine does cancels; what a
    class does to one of them is the median over all parts in which it is in that class, and the two
    are put together as if neither minded the other's.

    Args:
        parts: of all processes.
        classes: how many there are.

    Returns:
        Factors of the speedup, (classes of the original, classes of the variant).
    """
    by_original = _medians([(part.original_class, part.log) for part in parts], classes)
    by_variant = _medians([(part.variant_class, part.log) for part in parts], classes)
    return np.exp(np.add.outer(by_original, by_variant))


def _medians(found: Sequence[tuple[int, float]], classes: int) -> NDArray[np.float64]:
    """Return the median of each class, less their mean; 0 for a class that was never met."""
    logs: list[list[float]] = [[] for _ in range(classes)]
    for class_, log in found:
        logs[class_].append(log)
    medians = np.array([np.median(values) if values else 0.0 for values in logs])
    return np.asarray(medians - medians.mean())


def depends_on_placement(low: float, high: float, interval: tuple[float, float]) -> bool:
    """Say whether placement matters to a speedup: by more than 2 %, and than its interval shows.

    Args:
        low, high: the speedup in the least and the most favourable placement.
        interval: the bounds of the speedup's confidence interval.
    """
    return high > low * _SEEN and (low < interval[0] or high > interval[1])
