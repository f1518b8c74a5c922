"""The identity of a host: which machine it is, and whose turn it is to measure on it.

Two containers, or two workers, of one machine share its caches and its CPUs, whatever names and
addresses they have. They also share their kernel, which draws a number when it starts. What a host
keeps is to be found after it was started anew, and so is kept under what outlives that.
"""

import contextlib
import fcntl
import getpass
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import LONGEST_NAME, shortened
from harness.machine.cpu import read_line

GIVEN = "DIRTYSCAN_HOST_IDENTITY"
"""For dirtyscan's own tests and doctor: what this worker says it is, so that two on one machine
count as two."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")


def host_identity() -> str:
    """Return what no other running machine has, and every process of this one.

    That of the kernel's start; where it cannot be read, that of the installation, and else the
    name.
    """
    return _with_given(read_line(_BOOT) or read_line(_MACHINE) or platform.node())


def lasting_identity() -> str:
    """Return what this host is also after its kernel was started anew.

    That of the installation, with the name, which machines that are copies of one another differ
    in; where there is none, as in many containers, that of the kernel's start.
    """
    number = read_line(_MACHINE)
    own = f"{number}/{platform.node()}" if number else read_line(_BOOT) or platform.node()
    return _with_given(own)


def _with_given(own: str) -> str:
    return f"{own}/{given}" if (given := os.environ.get(GIVEN, "")) else own


def hashed(identity: str) -> str:
    """Return what tells identities apart, and can be written and sent without giving one away."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def host_name() -> str:
    """Return what the host is called."""
    return os.environ.get(GIVEN, "") or platform.node() or "unnamed"


@contextlib.contextmanager
def host_lock(run: str) -> Iterator[int]:
    """Have this machine to measure on, alone among the errands of any user; yield the lock.

    A process that is handed the lock holds it too, for as long as it lives.

    Raises:
        BadInput: somebody else has it; the sentence says who.
    """
    given = os.environ.get(GIVEN, "")
    path = Path(tempfile.gettempdir()) / f"dirtyscan-measures{f'-{given}' if given else ''}.lock"
    try:
        lock = _open(path)
    except OSError as error:
        raise BadInput(
            f"{path}, which keeps two measurements apart, cannot be opened ({error.strerror}); "
            "remove it, or make its folder writable."
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, LONGEST_NAME, 0).decode(errors="replace")
            raise BadInput(
                f"another measurement has this machine ({_first_line(holder)}; the lock is "
                f"{path}); wait for it, or end it there."
            ) from None
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        about = f"run {run} of {_user()}, process {os.getpid()}, since {started}"
        os.ftruncate(lock, 0)
        os.pwrite(lock, about.encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _first_line(text: str) -> str:
    """Return the first line of what a lock says, or that it says nothing."""
    lines = text.strip().splitlines()
    return lines[0] if lines else "it does not say whose"


def _open(path: Path) -> int:
    """Open a file that every user may lock.

    In a folder for all, the kernel lets nobody open another's file in a way that could make it.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        lock = os.open(path, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(lock, 0o666)  # whatever the mask
        return lock


def _user() -> str:
    try:
        return shortened(getpass.getuser())
    except (OSError, KeyError):  # nobody of that number is known
        return f"user {os.getuid()}"
