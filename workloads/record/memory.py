"""A running guest's memory, as it is now: which of its pages hold one repeated byte."""

import contextlib
import mmap
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workloads.inputs import data_pages

_PAGE = 4096
_WORDS = _PAGE // 8


class LiveMemory:
    """The memory behind an open file, read while the guest runs.

    What was never touched is a hole of the file. It is not read, which would fill it.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        self._pages = np.frombuffer(self._map, dtype=np.uint64).reshape(-1, _WORDS)

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return len(self._pages)

    def touched(self) -> NDArray[np.bool_]:
        """Return one bool a page: whether it has ever been written."""
        return data_pages(self._descriptor, len(self._pages) * _PAGE, _PAGE)

    def uniform(self, pages: NDArray[np.int64], touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each of ``pages`` whether all of its bytes are the same.

        That is what QEMU of 2010 asked of each page that it sent (``is_dup_page()``).
        """
        uniform = ~touched[pages]
        looked_at = np.flatnonzero(~uniform)
        # Most pages differ within a few words, so few are looked at as a whole.
        for words in (slice(0, _WORDS, 97), slice(0, _WORDS)):
            content = self._pages[pages[looked_at], words]
            first = content[:, :1]
            repeated = (first & 0xFF) * np.uint64(0x0101010101010101)
            looked_at = looked_at[(content == repeated).all(axis=1)]
        uniform[looked_at] = True
        return uniform

    def close(self) -> None:
        """Let go of the memory."""
        del self._pages
        self._map.close()
        os.close(self._descriptor)


@contextlib.contextmanager
def live_memory(descriptor: int, size: int) -> Iterator[LiveMemory]:
    """Yield the memory behind ``descriptor``, which is closed after the block."""
    memory = LiveMemory(descriptor, size)
    try:
        yield memory
    finally:
        memory.close()
