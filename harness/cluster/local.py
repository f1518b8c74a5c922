"""A scheduler and workers of Dask on this machine, started as anybody would start them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from distributed import Client

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.processes import module_environment
from harness.cluster.identity import GIVEN

_STARTS = 120.0  # seconds
_RUN = """
import os, runpy, sys
from harness.base.processes import end_with_parent
end_with_parent(int(sys.argv.pop(1)))
if cpu := sys.argv.pop(1):
    os.sched_setaffinity(0, {int(cpu)})
runpy.run_module("dask", run_name="__main__", alter_sys=True)
"""


@contextlib.contextmanager
def local_workers(folder: Path, cpus: Sequence[int] = ()) -> Iterator[str]:
    """Have a scheduler with workers here, with Dask's own settings; yield the address.

    Args:
        folder: an empty one, for what they and the workers' runs write.
        cpus: of each worker, which counts as a host of its own; or nothing for one that has all.

    Raises:
        BadInput: they do not start, or a worker does not find the scheduler.
    """
    file = folder / "scheduler.json"
    with contextlib.ExitStack() as stack:
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        scheduler = _start(folder, "scheduler", *options, "--scheduler-file", str(file))
        stack.callback(_end, scheduler)
        end = time.monotonic() + _STARTS
        while not (address := _address(file)):
            if scheduler.poll() is not None or time.monotonic() > end:
                raise BadInput(
                    "a scheduler of Dask does not start here; run 'dask scheduler' to see why."
                )
            time.sleep(0.1)
        for cpu in [str(cpu) for cpu in cpus] or [""]:
            own = {GIVEN: f"cpu{cpu}"} if cpu else {}
            line = ["worker", address, "--nthreads", "1", "--no-dashboard"]
            stack.callback(_end, _start(folder, *line, cpu=cpu, **own))
        _await_workers(address, len(cpus) or 1)
        yield address


def _start(
    folder: Path, *arguments: str, cpu: str = "", **environment: str
) -> subprocess.Popen[bytes]:
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _RUN, str(os.getpid()), cpu, *arguments],
            cwd=folder,
            env=module_environment(XDG_STATE_HOME=str(folder), **environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us, who end them
        )


def _await_workers(address: str, count: int) -> None:
    """Wait until the scheduler knows its workers, which takes many seconds where all is busy."""

    async def wait() -> None:
        async with Client(address, asynchronous=True, set_as_default=False) as client:
            await client.wait_for_workers(count, timeout=_STARTS)

    try:
        asyncio.run(wait())
    except (OSError, TimeoutError):
        raise BadInput(
            f"a worker of Dask does not find its scheduler here within {_STARTS:.0f} seconds; run "
            "'dask scheduler' and 'dask worker' to see why."
        ) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _address(file: Path) -> str:
    """Return the address of the scheduler that writes ``file``; empty until it has."""
    try:
        return str(decode_json(file.read_bytes(), dict)["address"])
    except (OSError, ValueError, KeyError):
        return ""
