"""Child processes: that they end with us, and how they ended."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process with process ``parent``, however that one ends.

    To be called in the child. What went on alone would disturb whatever is started next.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it was asked for
        os.kill(os.getpid(), signal.SIGKILL)


def describe_status(status: int) -> str:
    """Say how a process ended whose return code is ``status``, negative for a signal."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
