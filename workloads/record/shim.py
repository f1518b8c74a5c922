"""The shim that is preloaded into a hypervisor, and what it says of its guest's memory."""

import dataclasses
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.units import format_size

SOURCE = Path(__file__).parent / "shim.c"
VARIABLE = "DIRTYSCAN_RECORD"
_ATTACH, _READ_WRITES = 1, 2
_QUESTION = struct.Struct("=QQ")
_ANSWER = struct.Struct("=iiiiQQQ")
NO_MEMORY = 1
"""The step at which there is no mapping of the size that was asked for."""
_PATIENCE = 30.0  # seconds until an answer; a scan takes milliseconds
_NEWER = "boot Linux 6.7 or newer, or capture the guest instead ('dirtyscan trace capture')"
# In the order of the shim's steps; {size} and {error} are put in.
_WHY = {
    NO_MEMORY: "it has no mapping of {size}; give the size of its guest memory with --guest-memory",
    2: "it has several mappings of {size}, and which is guest memory cannot be told; give the "
    "guest another --guest-memory",
    3: "its mapping of {size} is not shared memory of a file; give the guest shared memory (in "
    "QEMU -object memory-backend-memfd,share=on)",
    4: "the kernel does not allow userfaultfd ({error}); allow it (sysctl "
    "vm.unprivileged_userfaultfd=1, and in a container a seccomp profile that has userfaultfd)",
    5: f"this kernel's userfaultfd has no asynchronous write protection ({{error}}); {_NEWER}",
    6: f"userfaultfd cannot watch this memory ({{error}}); {_NEWER}",
    7: "its page map cannot be opened ({error}); see that /proc is mounted",
    8: f"this kernel cannot scan page maps ({{error}}); {_NEWER}",
}


def build_shim(compiler: str, folder: Path) -> Path:
    """Compile the shim into ``folder`` and return its path.

    Raises:
        BadInput: it does not compile.
    """
    target = folder / "shim.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-pthread", "-o", str(target), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BadInput(
            f"the recorder's shim does not compile ({(done.stderr.splitlines() or ['?'])[-1]}); "
            "install the headers of the kernel ('apt-get install linux-libc-dev')."
        )
    return target


def preloaded(shim: Path, connection: socket.socket) -> dict[str, str]:
    """Return the environment of a process that ``shim`` is preloaded into.

    Args:
        connection: its end of a socket pair, which it must inherit.
    """
    before = os.environ.get("LD_PRELOAD")
    return {
        **os.environ,
        "LD_PRELOAD": f"{shim}:{before}" if before else str(shim),
        VARIABLE: str(connection.fileno()),
    }


@dataclasses.dataclass(frozen=True)
class Writes:
    """What was written since the scan before."""

    pages: NDArray[np.bool_]
    """One bool a page of guest memory."""
    seconds: float
    """How long the scan took."""


class NotWatched(BadInput):
    """Memory that cannot be watched, and at which of the shim's steps that was found."""

    def __init__(self, sentence: str, step: int) -> None:
        super().__init__(sentence)
        self.step = step


class WriteLog:
    """Our end of the connection to the shim in a hypervisor."""

    def __init__(self, connection: socket.socket, process: int, size: int) -> None:
        self._connection = connection
        self._connection.settimeout(_PATIENCE)
        self._process = process
        self._size = size
        self._page = os.sysconf("SC_PAGESIZE")

    def attach(self) -> int:
        """Begin to watch guest memory, and return an open file of it.

        Where it is allowed, as for root, the shim answers before anything else runs.

        Raises:
            BadInput: the memory is not found, or this kernel cannot watch it.
        """
        answer, _ = self._ask(_ATTACH)
        run_first(answer.thread)
        path = f"/proc/{self._process}/fd/{answer.descriptor}"
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BadInput(
                f"the memory of process {self._process} cannot be read ({error.strerror}); record "
                "as the user that the process is of, or as root."
            ) from None

    def scan(self) -> Writes:
        """Return what was written since the last scan; the first time everything is.

        Raises:
            BadInput: the process is gone, or this kernel cannot scan.
        """
        answer, bitmap = self._ask(_READ_WRITES)
        bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
        return Writes(bits[: self._size // self._page].astype(np.bool_), answer.nanoseconds / 1e9)

    def _ask(self, request: int) -> tuple["_Answer", bytes]:
        try:
            self._connection.sendall(_QUESTION.pack(request, self._size))
            answer = _Answer(*_ANSWER.unpack(self._receive(_ANSWER.size)))
            bitmap = self._receive(answer.bytes)
        except OSError:
            raise BadInput(
                f"process {self._process} is gone, or does not load what is preloaded; see whether "
                "it runs by itself, and whether it is linked dynamically."
            ) from None
        if answer.step:
            error = os.strerror(answer.error)
            why = _WHY[answer.step].format(size=format_size(self._size), error=error)
            what = f"the guest of process {self._process} cannot be recorded: {why}."
            raise NotWatched(what, answer.step)
        return answer, bitmap

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return bytes(data)


class _Answer(NamedTuple):
    """What the shim says, as in its source."""

    step: int
    error: int
    descriptor: int
    candidates: int
    nanoseconds: int
    bytes: int
    thread: int


def run_first(thread: int) -> bool:
    """Have the kernel run ``thread`` (0 for this one) before all that is not in a hurry.

    Returns:
        Whether it is allowed.
    """
    try:
        os.sched_setscheduler(thread, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        return False
    return True
