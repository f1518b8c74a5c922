"""An operation as C has it, and the memory that its calls work on (ctypes).

``operations.c`` says which arrays an operation works on, whether it changes the map and how it is
called; nothing here says it a second time.
"""

import ctypes

import numpy as np
from numpy.typing import NDArray

from harness.native.dirty_map import MapStruct, PlainArrays

_ARRAYS = ("log", "taken", "ranges", "runs")


class WorkStruct(ctypes.Structure):
    """``struct operation_work``."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _ARRAYS),
        ("bitmap", ctypes.c_void_p),
        ("dirty", ctypes.c_uint64),
        ("run_count", ctypes.c_uint64),
        ("argument", ctypes.c_uint64),
    )


class OperationStruct(ctypes.Structure):
    """``struct operation``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("arrays", ctypes.c_uint32),
        ("changes_map", ctypes.c_uint32),
        ("starts_clean", ctypes.c_uint32),
        ("ends_clean", ctypes.c_uint32),
        ("call", ctypes.c_void_p),
        ("settle", ctypes.c_void_p),
    )


class RangesStruct(ctypes.Structure):
    """``struct dirtyscan_ranges``."""

    _fields_ = (
        ("list", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("owner", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
    )


class Work:
    """What calls of one operation work on beside the map; untouched pages cost nothing."""

    def __init__(
        self,
        stopwatch: ctypes.CDLL,
        name: str,
        argument: int,
        pages: int,
        movable: bool = False,
    ) -> None:
        """Allocate for maps of ``pages`` pages.

        Args:
            stopwatch: the library of the timed loop, which holds the operations too.
            argument: what calls are given beside the map and the arrays.
            movable: see :class:`harness.native.dirty_map.PlainArrays`.
        """
        stopwatch.operation_find.restype = ctypes.POINTER(OperationStruct)
        stopwatch.operation_bytes.restype = ctypes.c_uint64
        stopwatch.operation_call.restype = ctypes.c_uint64
        self._library = stopwatch
        self._pages = ctypes.c_uint64(pages)
        self.operation = stopwatch.operation_find(name.encode())
        self.struct = WorkStruct(argument=argument)
        found = (
            (array, int(stopwatch.operation_bytes(self.operation, place, self._pages)))
            for place, array in enumerate(_ARRAYS)
        )
        self._lengths = {array: length for array, length in found if length}
        self._arrays = PlainArrays(self._lengths, movable)
        self._point()

    def _point(self) -> None:
        for array in self._lengths:
            setattr(self.struct, array, self._arrays.address(array))

    def move(self, random: np.random.Generator) -> None:
        """Draw anew where in a page each array begins; what they hold is lost."""
        self._arrays.move(random)
        self._point()

    def array(self, name: str) -> NDArray[np.uint8]:
        """Return the memory of an array that the operation works on, by its name in C."""
        return self._arrays.view(name)

    @property
    def changes_map(self) -> bool:
        """Whether a call changes the map, so that it is restored before each."""
        return bool(self.operation.contents.changes_map)

    def restore(
        self,
        view: MapStruct,
        bitmap: NDArray[np.uint8],
        log: NDArray[np.uint8],
        dirty: int,
        counted: bool,
    ) -> None:
        """Make the map ``view``, filled from ``bitmap``, and the work what they are before a call.

        Args:
            log: what is merged, a bitmap likewise.
            dirty: pages in ``bitmap``.
            counted: whether the map knows how many of its pages are dirty.
        """
        self._library.operation_prepare(
            ctypes.byref(self.struct),
            ctypes.c_void_p(bitmap.ctypes.data),
            ctypes.c_void_p(log.ctypes.data),
            ctypes.c_uint64(dirty),
            self._pages,
        )
        self._library.operation_restore(
            self.operation, ctypes.byref(view), ctypes.byref(self.struct), counted
        )

    def call(self, address: int, view: MapStruct) -> int:
        """Call the variant at ``address`` and return the number that came out."""
        work = ctypes.byref(self.struct)
        function = ctypes.c_void_p(address)
        return int(self._library.operation_call(self.operation, function, ctypes.byref(view), work))

    def list_ranges(self, address: int, view: MapStruct) -> NDArray[np.uint64]:
        """Call a variant that lists ranges and return its list, (ranges, 2): first page, pages."""
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)(address)
        ranges = RangesStruct(list=self.struct.ranges)
        count = function(ctypes.addressof(view), ctypes.addressof(ranges))
        listed = np.zeros((0, 2), np.uint64)
        if count:
            raw = (ctypes.c_uint64 * (2 * count)).from_address(ranges.list)
            listed = np.ctypeslib.as_array(raw).reshape(-1, 2).copy()
        if ranges.release:
            ranges.release(ctypes.addressof(ranges))
        return listed
