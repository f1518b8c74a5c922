"""Recording any hypervisor: it is started with the shim preloaded, and its guest followed."""

import asyncio
import contextlib
import ctypes
import dataclasses
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.processes import describe_status
from workloads.capture.qemu import private_folder
from workloads.guest import GuestMemory
from workloads.precopy import PreCopyParameters
from workloads.record.memory import live_memory
from workloads.record.recording import follow, write_recording
from workloads.record.shim import NO_MEMORY, NotWatched, WriteLog, build_shim, preloaded, run_first
from workloads.synthesis import Report
from workloads.trace import Trace

_APPEARS = 30.0
"""Seconds until a program must have mapped its guest's memory."""
_ENDS = 5.0
"""Seconds that it is given to end by itself."""
_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


@dataclasses.dataclass(frozen=True)
class CommandRequest:
    """What is to be started and recorded, and how."""

    words: tuple[str, ...]
    """The program and its arguments."""
    name: str
    memory: GuestMemory
    after: int
    """Seconds from when its memory is there until the recording begins, for a guest to boot."""
    precopy: PreCopyParameters


def record_command(request: CommandRequest, path: Path, report: Report) -> Trace:
    """Start the command, record its guest, end the command, and write the trace to ``path``.

    Raises:
        BadInput: it cannot be started or ends, its memory is not found, this kernel cannot watch
            it, or the machine is too busy to keep the ticks.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise BadInput("a recording needs a C compiler; install one ('apt-get install gcc').")
    ours, theirs = socket.socketpair()
    with private_folder() as folder, ours, theirs:
        shim = build_shim(compiler, folder)
        with _started(request, shim, theirs, folder / "said") as process:
            theirs.close()  # so that its end is seen when the program ends
            log = WriteLog(ours, process.pid, request.memory.size)
            descriptor = _attach(log, process, request, folder / "said")

            def check() -> None:
                _check_runs(process, request, folder / "said")

            with live_memory(descriptor, request.memory.size) as memory:
                _settle(request.after, check, report)
                run_first(0)
                doing = f"recording {request.name}"
                recorded = asyncio.run(
                    follow(log, memory, request.precopy, check, lambda *tick: report(doing, *tick))
                )
    facts = {
        "command": {"value": Path(request.words[0]).name, "unit": ""},
        "begun_after": {"value": request.after, "unit": "s"},
    }
    return write_recording(
        request.name, None, request.memory, request.precopy, facts, recorded, path
    )


@contextlib.contextmanager
def _started(
    request: CommandRequest, shim: Path, connection: socket.socket, said: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Have the command run inside the block; it ends with it, and with us, however that is."""
    prctl = ctypes.CDLL(None).prctl
    try:
        with said.open("wb") as output:
            process = subprocess.Popen(
                request.words,
                env=preloaded(shim, connection),
                pass_fds=(connection.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=lambda: prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL),
            )
    except OSError as error:
        raise BadInput(
            f"{request.words[0]} cannot be started ({error.strerror}); check its path."
        ) from None
    try:
        yield process
    except BadInput:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)  # if it is ending, that is why
        _check_runs(process, request, said)
        raise
    finally:
        process.terminate()
        try:
            process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _attach(
    log: WriteLog, process: "subprocess.Popen[bytes]", request: CommandRequest, said: Path
) -> int:
    """Begin to watch the memory as soon as it is there, and return an open file of it."""
    end = time.monotonic() + _APPEARS
    while True:
        _check_runs(process, request, said)
        try:
            return log.attach()
        except NotWatched as error:
            if error.step != NO_MEMORY or time.monotonic() > end:
                raise
        time.sleep(0.05)


def _check_runs(process: "subprocess.Popen[bytes]", request: CommandRequest, said: Path) -> None:
    status = process.poll()
    if status is None:
        return
    lines = said.read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    raise BadInput(
        f"{request.words[0]} ended ({describe_status(status)}) before it was recorded, and said "
        f"{last[:200]!r}; see that the command runs by itself for that long."
    )


def _settle(seconds: int, check: Callable[[], None], report: Report) -> None:
    for second in range(seconds):
        report("waiting for the guest", second, seconds)
        time.sleep(1)
        check()
