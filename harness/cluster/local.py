"""A scheduler and a worker of Dask on this machine, started as anybody would start them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from distributed import Client

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.processes import module_environment

_STARTS = 120.0  # seconds
_RUN = """
import runpy, sys
from harness.base.processes import end_with_parent
end_with_parent(int(sys.argv.pop(1)))
runpy.run_module("dask", run_name="__main__", alter_sys=True)
"""


@contextlib.contextmanager
def local_worker(folder: Path) -> Iterator[str]:
    """Have a scheduler with a worker here, with Dask's own settings; yield the address.

    Args:
        folder: an empty one, for what they and the worker's runs write.

    Raises:
        BadInput: they do not start, or the worker does not find the scheduler.
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
        worker = _start(folder, "worker", address, "--nthreads", "1", "--no-dashboard")
        stack.callback(_end, worker)
        _await_worker(address)
        yield address


def _start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _RUN, str(os.getpid()), *arguments],
            cwd=folder,
            env=module_environment(XDG_STATE_HOME=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us, who end them
        )


def _await_worker(address: str) -> None:
    """Wait until the scheduler knows the worker, which takes many seconds where all is busy."""

    async def wait() -> None:
        async with Client(address, asynchronous=True, set_as_default=False) as client:
            await client.wait_for_workers(1, timeout=_STARTS)

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
