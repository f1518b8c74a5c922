"""Whether the machine was the same all along, by what the original took in each round.

A neighbour on the core (another guest's thread on its second half, which this guest cannot see)
takes a part of its front end, and code meets that by where it lies: on a Zen 3 the original took
1.4 times as long at two classes of placement and 2.2 times at the others, the patch other
multiples. Ratios of calls next to each other are right then for a core that is shared, and not for
one that is not. ``docs/statistics.md`` has what it does to the letter's figures.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import Seconds

SLOWED = 1.25
"""What a round takes, by the fastest of its kind, from which on something has slowed it.

Of quiet runs nearly none does, of those beside a neighbour four of five (``docs/statistics.md``).
"""


def slowed_rounds(
    processes: Sequence[Seconds], places: Sequence[Sequence[int]]
) -> tuple[NDArray[np.bool_], ...]:
    """Return which rounds something has slowed, by :data:`SLOWED` or more in any of their parts.

    A part takes the median over its calls, each by the fastest on the same snapshot at the same
    place, so that an interrupt in one of them slows no round. What slows all rounds alike cannot be
    told from a slower CPU.

    Args:
        processes: of an original on a trace, the seconds of one call, (rounds, parts, snapshots).
        places: by process, where the original lay in each part.

    Returns:
        By process, (rounds,).
    """
    fastest: dict[int, Seconds] = {}
    for seconds, own in zip(processes, places, strict=True):
        for part, place in enumerate(own):
            least = seconds[:, part].min(axis=0)
            fastest[place] = np.minimum(fastest.get(place, least), least)
    return tuple(
        _slowed(seconds, np.stack([fastest[place] for place in own]))
        for seconds, own in zip(processes, places, strict=True)
    )


def _slowed(seconds: Seconds, fastest: Seconds) -> NDArray[np.bool_]:
    taken = np.median(seconds / fastest, axis=-1)
    return np.asarray((taken >= SLOWED).any(axis=-1))
