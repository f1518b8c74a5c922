"""What the process that tries a variant tells the one that waits for it."""

import ctypes
import os
from collections.abc import Callable
from typing import NoReturn

from harness.base.processes import Possessions, has_children

RUNNING, PASSED, WRONG, ALTERED, ASTRAY, BROKEN = 0, 1, 2, 3, 4, 5


class Fault(ctypes.Structure):
    """``struct trial_fault``."""

    _fields_ = (
        ("signal", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("write", ctypes.c_uint64),
    )


class Report(ctypes.Structure):
    """What the process that tries a variant tells, in memory that both see."""

    _fields_ = (
        ("fault", Fault),
        ("state", ctypes.c_uint64),
        ("turn", ctypes.c_uint64),
        ("result", ctypes.c_uint64),
        ("sentence", ctypes.c_char * 256),
    )


def has_meddled(own: int, had: Possessions, report: Report) -> bool:
    """Say whether the variant has done something to this process.

    One that it has started, and that came back to us, is ended.
    """
    if os.getpid() != own:
        os._exit(0)
    what = "starts a process" if has_children() else had.lost()
    if what:
        astray(report, what)
    return bool(what)


def astray(report: Report, what: str) -> None:
    """Tell what the variant has done wrong beside its number."""
    report.sentence = what.encode()[:255]
    report.state = ASTRAY


def end_after(call: Callable[[], None], report: Report) -> NoReturn:
    """Call and end this process, whatever happens; an exception is the trial's own."""
    try:
        call()
    except BaseException as error:
        report.sentence = f"{type(error).__name__}: {error}".encode(errors="replace")[:255]
        report.state = BROKEN
    finally:
        os._exit(0)
