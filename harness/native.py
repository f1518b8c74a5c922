"""The C side seen from Python: a compiled variant, the map, and the stopwatch (ctypes)."""

import ctypes
import dataclasses
import mmap
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.cpu import cpu_flags
from workloads.errors import BadInput
from workloads.guest import GuestMemory

ABI = 1


class _ByteMap(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_void_p),
        ("pages", ctypes.c_uint64),
        ("page_size", ctypes.c_uint64),
    )


class _Description(ctypes.Structure):
    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("year", ctypes.c_uint32),
        ("operation", ctypes.c_char_p),
        ("map", ctypes.c_char_p),
        ("summary", ctypes.c_char_p),
        ("requires", ctypes.c_char_p),
        ("bound", ctypes.c_uint32),
        ("run", ctypes.c_void_p),
    )


class _Lane(ctypes.Structure):
    _fields_ = (("count", ctypes.c_void_p), ("calls", ctypes.c_uint64))


@dataclasses.dataclass(frozen=True)
class LoadedVariant:
    """A variant that can be called."""

    operation: str
    map: str
    year: int
    summary: str
    requires: tuple[str, ...]
    """CPU flags, as Linux names them."""
    bound: bool
    """Whether it does less than the operation, to show a limit."""
    address: int
    """Of its function; 0 if it has none for this architecture."""
    library: ctypes.CDLL
    """Held so that the code stays in memory."""

    def obstacle(self) -> str:
        """Say why it cannot run on this machine; empty if it can."""
        if not self.address:
            return f"is not for {platform.machine()}"
        lacking = [flag for flag in self.requires if flag not in cpu_flags()]
        return f"needs {' and '.join(lacking)}, which this CPU lacks" if lacking else ""


def load_variant(path: Path) -> LoadedVariant:
    """Load a compiled variant.

    Raises:
        BadInput: the file is not one, or was made for another version of the contract.
    """
    try:
        library = ctypes.CDLL(str(path))
        description = _Description.in_dll(library, "dirtyscan_variant")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path.name} is not a variant ({error}); it must define dirtyscan_variant as "
            "dirtyscan.h says."
        ) from None
    if description.abi != ABI:
        raise BadInput(
            f"{path.name} was made for version {description.abi} of dirtyscan.h and this is "
            f"version {ABI}; compile it with this one."
        )
    return LoadedVariant(
        description.operation.decode(),
        description.map.decode(),
        description.year,
        description.summary.decode(),
        tuple((description.requires or b"").decode().split()),
        bool(description.bound),
        description.run or 0,
        library,
    )


class ByteMap:
    """A byte map in memory of its own, aligned to the machine's pages."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = mmap.mmap(-1, memory.pages)
        self.bytes: NDArray[np.uint8] = np.frombuffer(self._memory, dtype=np.uint8)
        self.struct = _ByteMap(self.bytes.ctypes.data, memory.pages, memory.page_size)


class Stopwatch:
    """Times calls of variants on one map, snapshot by snapshot; see ``stopwatch.c``."""

    def __init__(self, path: Path, memory: GuestMemory) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.stopwatch_clock_cost.restype = ctypes.c_uint64
        self._map = ByteMap(memory)

    def clock_cost(self) -> float:
        """Return the seconds that two readings of the clock take with nothing between them."""
        return float(self._library.stopwatch_clock_cost(ctypes.c_uint64(10_000))) * 1e-9

    def expand(self, bitmap: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Build the byte map of ``bitmap`` and return it: uint8, one element a page."""
        self._library.stopwatch_expand(
            ctypes.byref(self._map.struct), ctypes.c_void_p(bitmap.ctypes.data)
        )
        return self._map.bytes

    def time_pass(
        self,
        bitmaps: NDArray[np.uint8],
        variants: Sequence[LoadedVariant],
        calls: Sequence[int],
        order: NDArray[np.uint8],
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Call every variant ``calls`` times on every snapshot.

        Args:
            bitmaps: (snapshots, bitmap bytes) uint8, C order.
            order: (snapshots, variants) uint8, C order: in which order to call the variants.

        Returns:
            Nanoseconds of all the calls together, and what the last of them counted, both
            (variants, snapshots).
        """
        snapshots, bitmap_bytes = bitmaps.shape
        shape = (len(variants), snapshots)
        if order.shape != (snapshots, len(variants)) or order.dtype != np.uint8:
            raise ValueError("order must be uint8 of shape (snapshots, variants)")
        bitmaps, order = np.ascontiguousarray(bitmaps), np.ascontiguousarray(order)
        elapsed, counts = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
        lanes = (_Lane * len(variants))(
            *(_Lane(v.address, c) for v, c in zip(variants, calls, strict=True))
        )
        self._library.stopwatch_pass(
            ctypes.byref(self._map.struct),
            ctypes.c_void_p(bitmaps.ctypes.data),
            ctypes.c_uint64(bitmap_bytes),
            ctypes.c_uint64(snapshots),
            lanes,
            ctypes.c_uint64(len(variants)),
            ctypes.c_void_p(order.ctypes.data),
            ctypes.c_void_p(elapsed.ctypes.data),
            ctypes.c_void_p(counts.ctypes.data),
        )
        return elapsed, counts
