"""The contract of a variant as Python sees it: the structures of ``dirtyscan.h`` (ctypes)."""

import ctypes
import dataclasses

ABI = 3
READABLE = (2, ABI)
"""Versions of the contract whose variants can be called."""
PLAIN, GIVES, TAKES = range(3)
"""Which signature a variant's function has, where its operation has several."""


class MapStruct(ctypes.Structure):
    """``struct dirtyscan_map``."""

    _fields_ = (
        ("bytes", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        ("summary", ctypes.c_void_p),
        ("dirty", ctypes.c_uint64),
        ("pages", ctypes.c_uint64),
        ("page_size", ctypes.c_uint64),
        ("state", ctypes.c_void_p),
    )


class RangesStruct(ctypes.Structure):
    """``struct dirtyscan_ranges``."""

    _fields_ = (
        ("list", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("owner", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
    )


class TakenStruct(ctypes.Structure):
    """``struct dirtyscan_taken``."""

    _fields_ = (
        ("words", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
        ("release", ctypes.c_void_p),
        ("owner", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
    )


class OutputStruct(ctypes.Structure):
    """``struct dirtyscan_output``."""

    _fields_ = (
        ("taken", ctypes.c_void_p),
        ("ranges", ctypes.c_void_p),
    )


class VariantStruct(ctypes.Structure):
    """``struct dirtyscan_variant``."""

    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("year", ctypes.c_uint32),
        ("operation", ctypes.c_char_p),
        ("map", ctypes.c_char_p),
        ("summary", ctypes.c_char_p),
        ("requires", ctypes.c_char_p),
        ("paid_in", ctypes.c_char_p),
        ("bound", ctypes.c_uint32),
        ("form", ctypes.c_uint32),
        ("run", ctypes.c_void_p),
        ("prepare", ctypes.c_void_p),
        ("finish", ctypes.c_void_p),
        ("beside", ctypes.c_void_p),
    )


@dataclasses.dataclass(frozen=True)
class Functions:
    """The addresses of a variant's functions, and how its own is called; 0 for none."""

    run: int
    form: int = PLAIN
    prepare: int = 0
    finish: int = 0
    beside: int = 0
    """What other threads do to its state meanwhile."""


def functions_of(struct: VariantStruct) -> Functions:
    """Return the functions of a variant that was made for one of the ``READABLE`` versions."""
    if struct.abi < 3:  # it ends before the other fields, and has no form
        return Functions(struct.run or 0)
    return Functions(
        struct.run or 0,
        struct.form,
        struct.prepare or 0,
        struct.finish or 0,
        struct.beside or 0,
    )
