"""An operation as C has it, and the memory that its calls work on (ctypes).

``operations.c`` says which arrays an operation works on, whether it changes the map and how it is
called; nothing here says it a second time.
"""

import contextlib
import ctypes
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.native.contract import PLAIN, Functions, MapStruct, RangesStruct, TakenStruct
from harness.native.dirty_map import PlainArrays

_ARRAYS = ("log", "taken", "ranges", "runs")


class WorkStruct(ctypes.Structure):
    """``struct operation_work``."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _ARRAYS),
        ("bitmap", ctypes.c_void_p),
        ("dirty", ctypes.c_uint64),
        ("run_count", ctypes.c_uint64),
        ("argument", ctypes.c_uint64),
        ("logged", ctypes.c_void_p),
        ("given", TakenStruct),
    )


class OperationStruct(ctypes.Structure):
    """``struct operation``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("form", ctypes.c_uint32),
        ("arrays", ctypes.c_uint32),
        ("changes_map", ctypes.c_uint32),
        ("starts_clean", ctypes.c_uint32),
        ("ends_clean", ctypes.c_uint32),
        ("call", ctypes.c_void_p),
        ("settle", ctypes.c_void_p),
    )


class CalleeStruct(ctypes.Structure):
    """``struct operation_callee``."""

    _fields_ = (
        ("operation", ctypes.POINTER(OperationStruct)),
        ("function", ctypes.c_void_p),
        ("prepare", ctypes.c_void_p),
        ("finish", ctypes.c_void_p),
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
        stopwatch.operation_result.restype = ctypes.c_uint64
        self._library = stopwatch
        self._name = name.encode()
        self._pages = ctypes.c_uint64(pages)
        self.operation = self._in_form(PLAIN)
        self.struct = WorkStruct(argument=argument)
        found = (
            (array, int(stopwatch.operation_bytes(self.operation, place, self._pages)))
            for place, array in enumerate(_ARRAYS)
        )
        self._lengths = {array: length for array, length in found if length}
        self._arrays = PlainArrays(self._lengths, movable)
        self._point()

    def _in_form(self, form: int) -> "ctypes._Pointer[OperationStruct]":
        found: ctypes._Pointer[OperationStruct] = self._library.operation_find(self._name, form)
        return found

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

    def callee(self, functions: Functions) -> CalleeStruct:
        """Return a variant as C calls it, in a form that the operation has."""
        form = self._in_form(functions.form)
        return CalleeStruct(form, functions.run, functions.prepare, functions.finish)

    def begin(self, callee: CalleeStruct, view: MapStruct) -> None:
        """Let a variant that has storage of its own fill it from ``view``."""
        self._library.operation_begin(
            ctypes.byref(callee), ctypes.byref(view), ctypes.byref(self.struct)
        )

    def call(self, callee: CalleeStruct, view: MapStruct) -> int:
        """Call a variant and return what it has returned; see :meth:`result`."""
        work = ctypes.byref(self.struct)
        return int(self._library.operation_call(ctypes.byref(callee), ctypes.byref(view), work))

    def end(self, callee: CalleeStruct, view: MapStruct) -> None:
        """Read back what a variant has in storage of its own."""
        self._library.operation_end(
            ctypes.byref(callee), ctypes.byref(view), ctypes.byref(self.struct)
        )

    def result(self, callee: CalleeStruct, returned: int, view: MapStruct) -> int:
        """Return the number that came out of a call that has ``returned``."""
        given = ctypes.c_uint64(returned), ctypes.byref(view), ctypes.byref(self.struct)
        return int(self._library.operation_result(callee.operation, *given))

    @contextlib.contextmanager
    def prepared(self, functions: Functions, view: MapStruct) -> Iterator[None]:
        """Let a variant that has storage of its own have it meanwhile."""
        callee = self.callee(functions)
        self.begin(callee, view)
        yield
        self.end(callee, view)

    def list_ranges(self, functions: Functions, view: MapStruct) -> NDArray[np.uint64]:
        """Call a variant that lists ranges and return its list, (ranges, 2): first page, pages."""
        run = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)(functions.run)
        ranges = RangesStruct(list=self.struct.ranges)
        listed = np.zeros((0, 2), np.uint64)
        with self.prepared(functions, view):
            count = run(ctypes.addressof(view), ctypes.addressof(ranges))
            if ranges.list != self.struct.ranges:
                listed = _copy_ranges(ranges.list, count)
            if ranges.release:
                ranges.release(ctypes.addressof(ranges))
        # The caller's own may be filled as late as that.
        return _copy_ranges(ranges.list, count) if ranges.list == self.struct.ranges else listed


def _copy_ranges(address: int, count: int) -> NDArray[np.uint64]:
    if not count:
        return np.zeros((0, 2), np.uint64)
    raw = (ctypes.c_uint64 * (2 * count)).from_address(address)
    return np.ctypeslib.as_array(raw).reshape(-1, 2).copy()
