"""Random integers that are the same on every machine and every numpy version.

``numpy.random.Generator`` may change the numbers it makes from one release to the next (NEP 19);
the raw 64-bit stream of a bit generator may not. So only that stream is used here, and every number
is derived from it with integer arithmetic.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

DEFAULT_SEED = 2010


class Draws:
    """A stream of draws for one purpose; streams of different purposes are independent."""

    def __init__(self, seed: int, purpose: str) -> None:
        entropy = [seed, zlib.crc32(purpose.encode())]
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy))

    def raw(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` uniform 64-bit integers."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def below(self, bound: int, count: int) -> NDArray[np.int64]:
        """Return ``count`` integers in [0, bound), for 0 < bound < 2**32.

        Multiply and shift (Lemire 2019, without the rejection step): the bias is below
        bound / 2**32, far under anything a trace could show.
        """
        if not 0 < bound < 2**32:
            raise ValueError(f"bound must be in 1..2**32-1, not {bound}")
        high = self.raw(count) >> np.uint64(32)
        return ((high * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)

    def permutation(self, count: int) -> NDArray[np.int64]:
        """Return the integers 0..count-1 in random order."""
        return np.argsort(self.raw(count), kind="stable").astype(np.int64)
