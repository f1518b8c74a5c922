"""Processes: that our children end with us and how they ended, and that we end in good order."""

import contextlib
import ctypes
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

_ROOT = Path(__file__).parents[2]
"""The folder of this package and its neighbours."""
_LAST_BYTES = 4096  # of what a process says that are looked at
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The harness computes little; and a process with threads cannot be forked from safely.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process with process ``parent``, however that one ends.

    To be called in the child. What went on alone would disturb whatever is started next.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it was asked for
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Have SIGTERM, with which a job of CI is cancelled, end the block as any exit does.

    By itself it ends the process where it stands, and leaves what the block would have taken away.

    Raises:
        SystemExit: it came; the exit status is 143, as a shell has it.
    """

    def leave(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would end the tidying up
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # which has none
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours in a process of its own.

    Files of the folder that a user happens to be in, such as a ``random.py``, are not what it
    imports; see also :func:`module_environment`.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment(
    base: Mapping[str, str] | None = None, /, **variables: str
) -> dict[str, str]:
    """Return the environment of such a process: ``base`` or else ours, with ``variables``.

    Where our packages are not installed, they are found beside this one.
    """
    environment = {**(os.environ if base is None else base), **variables}
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if str(_ROOT) not in installed:
        paths = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def run_alone(
    command: Sequence[str],
    environment: Mapping[str, str],
    wait: Callable[["subprocess.Popen[bytes]"], int | None],
) -> tuple[int | None, str]:
    """Run ``command`` in a session of its own, of which nothing goes on behind it.

    So Ctrl-C reaches this process alone, which then ends that one and all that it may have started.

    Args:
        wait: waits for it, and returns its exit status, or None if it took too long.

    Returns:
        What ``wait`` has returned, and the last line that it said.
    """
    # A file takes what it says: a pipe would be open for as long as any that it has started.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = wait(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(max(0, said.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = said.read().decode(errors="replace").strip().splitlines()
    return status, lines[-1] if lines else "it said nothing"


def has_children() -> bool:
    """Return whether this process has started others that nobody has waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


@dataclasses.dataclass(frozen=True)
class Possessions:
    """What a process has that all code in it depends on."""

    files: frozenset[str]
    """Descriptors that are open."""
    limits: tuple[tuple[int, int], ...]
    """Of every resource, in the order of ``resource``."""

    def lost(self) -> str:
        """Say what of it this process has not any more; empty if it has everything."""
        if _limits() != self.limits:
            return "changes a limit of its process"
        return "" if self.files <= _open_files() else "closes files of its process"


def possessions() -> Possessions:
    """Return what this process has now."""
    return Possessions(_open_files(), _limits())


def _open_files() -> frozenset[str]:
    return frozenset(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names, and no paths, are wanted)


def _limits() -> tuple[tuple[int, int], ...]:
    return tuple(map(resource.getrlimit, _LIMITS))


def describe_status(status: int) -> str:
    """Say how a process ended whose return code is ``status``, negative for a signal."""
    return f"signal {signal_name(-status)}" if status < 0 else f"status {status}"


_OWN_FAULTS = (
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT),
    *(signal.SIGTRAP, signal.SIGSYS),
)


def was_ended_from_outside(status: int) -> bool:
    """Return whether a return code may be the doing of somebody else, or of too little memory.

    Signals that the kernel sends for what a process itself has done are its own.
    """
    return status < 0 and -status not in _OWN_FAULTS


def signal_name(number: int) -> str:
    """Return the name of a signal, also of one that has none in Python (a real-time signal)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"number {number}"
