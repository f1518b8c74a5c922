"""Choosing some of many, evenly spaced."""

import numpy as np


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Return ``wanted`` places of ``count``, the first and the last among them; all if more.

    Fewer where two would fall onto one place.
    """
    places = np.linspace(0, count - 1, min(count, wanted)).round().astype(int)
    return [int(place) for place in np.unique(places)]
