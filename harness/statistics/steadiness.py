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
"""What a call takes, by the fastest of its kind, from which on something has slowed it.

Of quiet runs nearly none does, of those beside a neighbour most (``docs/statistics.md``).
"""
MANY = 0.1
"""Share of a round's calls from which on they slow it.

Interrupts slow some four in a hundred. A neighbour that comes or goes within a round slows a part
of its calls, and such a round is not one of a core of one's own either: with half of the calls of a
placement for a limit, rounds beside one that stays for a round gave 8.33 where 8.0 was to be found.
"""


def slowed_rounds(
    processes: Sequence[Seconds], places: Sequence[Sequence[int]]
) -> tuple[NDArray[np.bool_], ...]:
    """Return which rounds something has slowed: more than :data:`MANY` of their calls.

    A call is slowed if it takes :data:`SLOWED` times the fastest on the same snapshot at the same
    place, or more. What slows all rounds alike cannot be told from a slower CPU.

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
    return np.asarray(np.mean(seconds / fastest >= SLOWED, axis=(1, 2)) > MANY)
