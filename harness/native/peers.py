"""Peers: what a Python user would pick instead of a variant, from well-known packages.

They are timed in the same rounds, by Python's clock, and their time holds what a call from Python
costs. What a package needs to have built before it can count is not timed, as the C variants' maps
are not.
"""

import array
import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.native.dirty_map import BITMAP, BYTE_MAP, MIGRATION_FLAG

Memory = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Peer:
    """A function of a package that counts dirty pages."""

    name: str
    map: str
    """The representation that it is built from."""
    year: int
    summary: str
    package: str
    build: Callable[[Memory], Any]
    """Makes what it counts in from the memory of the representation's array."""
    count: Callable[[Any], int]
    reads_map: bool = True
    """Whether counting reads the pages' bits, and not what was added up when it was built."""

    def obstacle(self) -> str:
        """Say why it cannot run here; empty if it can."""
        try:
            importlib.import_module(self.package)
        except ImportError:
            return f"needs the Python package {self.package} (pip install {self.package})"
        return ""


def _bitarray(words: Memory) -> Any:
    from bitarray import bitarray

    return bitarray(buffer=words, endian="little")


def _roaring(words: Memory) -> Any:
    from pyroaring import BitMap

    pages = np.flatnonzero(np.unpackbits(words, bitorder="little")).astype(np.uint32)
    return BitMap(array.array("I", pages.tobytes()))  # far faster than from numpy's array


PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "numpy_count_nonzero",
            BYTE_MAP,
            2011,
            "numpy: count_nonzero(map & flag)",
            "numpy",
            lambda memory: memory,
            lambda memory: int(np.count_nonzero(memory & MIGRATION_FLAG)),
        ),
        Peer(
            "numpy_bitwise_count",
            BITMAP,
            2024,
            "numpy 2: bitwise_count(words).sum()",
            "numpy",
            lambda memory: memory.view(np.uint64),
            lambda words: int(np.bitwise_count(words).sum(dtype=np.uint64)),
        ),
        Peer(
            "bitarray",
            BITMAP,
            2008,
            "bitarray: count()",
            "bitarray",
            _bitarray,
            lambda bits: int(bits.count()),
        ),
        Peer(
            "pyroaring",
            BITMAP,
            2016,
            "a roaring bitmap of the same pages: len(), which adds up its containers' counters",
            "pyroaring",
            _roaring,
            len,
            reads_map=False,
        ),
    )
}
