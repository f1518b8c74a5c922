"""A QEMU process of our own: started in a private folder, and gone with it afterwards."""

import asyncio
import contextlib
import dataclasses
import functools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qemu.qmp import ConnectError, ExecuteError, QMPClient, QMPError

from harness.base.errors import BadInput
from harness.base.processes import describe_status, end_with_parent

_MEMORY = "-object memory-backend-memfd,id=ram,size={},share=on"
_MARK = b"dirtyscan: "
_LONGEST_FOLDER = 90  # a socket's whole path has room for 107 bytes


@dataclasses.dataclass(frozen=True)
class Machine:
    """What is started."""

    program: str
    """The path of QEMU."""
    accelerator: str
    """``kvm`` or ``tcg``."""
    memory: int
    """Guest memory in bytes."""
    kernel: Path
    initramfs: Path
    kernel_options: str
    devices: Sequence[str]
    """Further options of QEMU."""
    shared: bool = False
    """Whether its memory is that of a file, which another process can read."""
    environment: Mapping[str, str] | None = None
    """Instead of ours."""
    descriptors: Sequence[int] = ()
    """Open files that it inherits."""


class Qemu:
    """A running QEMU: its monitor, and what its guest says on the serial console."""

    def __init__(self, process: asyncio.subprocess.Process, monitor: QMPClient) -> None:
        self._process = process
        self._monitor = monitor
        self._said: list[str] = []
        self._ready = asyncio.Event()
        self._failure = ""
        self._console = asyncio.create_task(self._listen())

    @property
    def process(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def said(self) -> Sequence[str]:
        """The last lines of its console."""
        return tuple(self._said)

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait until the guest says that its workload runs.

        Raises:
            BadInput: it fails, or does not say so in ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            self._failure = f"the guest did not get ready within {seconds:g} s"
        self.check()

    def check(self) -> None:
        """Raise :class:`BadInput` if the guest or QEMU has failed."""
        if self._failure:
            last = self._said[-1] if self._said else "nothing"
            raise BadInput(
                f"{self._failure}; the last that its console said is: {last!r}. Try another "
                "kernel with --kernel, or --accelerator tcg."
            )

    async def execute(self, command: str, **arguments: object) -> Any:
        """Run a QMP command.

        Raises:
            BadInput: QEMU refuses it, or is gone.
        """
        try:
            return await self._monitor.execute(command, arguments)
        except ExecuteError as error:
            raise BadInput(f"QEMU refuses {command}: {error}.") from None
        except (QMPError, asyncio.CancelledError, OSError) as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            await asyncio.sleep(0.1)  # let the console say why
            self.check()
            raise BadInput(f"QEMU ended while it was asked for {command}; capture again.") from None

    async def _listen(self) -> None:
        """Read the console until QEMU ends."""
        assert self._process.stdout
        async for line in self._process.stdout:
            text = line.decode("utf-8", "replace").strip()
            self._said.append(text)
            del self._said[:-50]
            if _MARK in line:
                self._hear(text.partition(_MARK.decode())[2])
        if not self._failure:
            self._failure = f"QEMU ended ({describe_status(await self._process.wait())})"
        self._ready.set()

    def _hear(self, message: str) -> None:
        if message.startswith("FAILED"):
            self._failure = f"the guest {message}"
        if message.startswith(("READY", "FAILED")):
            self._ready.set()

    async def stop(self) -> None:
        """End QEMU, whatever it does."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        with contextlib.suppress(QMPError, OSError, EOFError):
            await self._monitor.disconnect()
        await self._process.wait()
        self._console.cancel()


@contextlib.asynccontextmanager
async def running(machine: Machine, folder: Path) -> AsyncIterator[Qemu]:
    """Start ``machine``, with its sockets in ``folder``; it ends with the block.

    Raises:
        BadInput: QEMU does not start.
    """
    socket = folder / "qmp"
    process = await asyncio.create_subprocess_exec(
        machine.program,
        *_options(machine, socket),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us; we end QEMU
        preexec_fn=functools.partial(end_with_parent, os.getpid()),
        env=machine.environment,
        pass_fds=machine.descriptors,
    )
    monitor = QMPClient("capture")
    qemu = Qemu(process, monitor)
    try:
        await _connect(qemu, monitor, socket)
        yield qemu
    finally:
        await qemu.stop()


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder that only this user can enter, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as name:  # made with mode 0700
        if len(name) > _LONGEST_FOLDER:
            raise BadInput(
                f"sockets cannot be made in {name} because its path is too long; set TMPDIR to a "
                "folder with a shorter one."
            )
        yield Path(name)


def _options(machine: Machine, socket: Path) -> list[str]:
    return [
        *("-machine", f"pc,accel={machine.accelerator}" + ",memory-backend=ram" * machine.shared),
        *(_MEMORY.format(machine.memory) if machine.shared else "").split(),
        *("-cpu", "host" if machine.accelerator == "kvm" else "max"),
        *("-m", f"{machine.memory // 2**20}M"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-serial", "stdio"),
        *("-qmp", f"unix:{socket},server=on,wait=off"),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initramfs)),
        *("-append", f"console=ttyS0 quiet panic=-1 {machine.kernel_options}"),
        *machine.devices,
    ]


async def _connect(qemu: Qemu, monitor: QMPClient, socket: Path) -> None:
    for _ in range(100):
        if socket.exists():
            with contextlib.suppress(ConnectError):
                await monitor.connect(str(socket))
                return
        await asyncio.sleep(0.05)
        qemu.check()
    raise BadInput("QEMU does not open its monitor; see whether it runs by hand.")


def can_use_kvm() -> bool:
    """Return whether /dev/kvm can be opened; a guest may still not boot with it."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)
