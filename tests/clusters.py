"""Clusters on this machine: a scheduler and workers that count as a host each."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import __version__
from harness.cluster.identity import GIVEN
from harness.measurement.samples_folder import is_of_process
from tests.conftest import store, wait_until

LIMIT = "LIMIT_OF_FILES"
BENCH = ("bench", "--trace", "small.trace", "--precision", "90%", "--budget", "500")
"""A run of some seconds, in ten processes."""


BRIEF = str(Path(__file__).parent / "brief")
"""In PYTHONPATH, it makes runs as short as there can be."""


FACTS: dict[str, Any] = {
    "name": "a", "identity": "1", "pretended": False, "architecture": "x86_64", "cpu": "One",
    "cpus": 2, "versions": {"dirtyscan": __version__, "numpy": "2.0", "cc": "gcc 12"},
    "obstacle": "",
}  # fmt: skip
"""What a host says of itself."""


class LocalCluster:
    """A scheduler and its workers, each a process that can be killed."""

    def __init__(self, folder: Path, brief: bool) -> None:
        self.folder = folder
        self._brief = brief
        self.state = folder / "state"
        (folder / "tmp").mkdir()
        self.address = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, **more: str) -> dict[str, str]:
        # The lock of a machine lies in a folder for all users, which tests beside this one use too.
        own = {
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_STATE_HOME": str(self.state),
            "PYTHONWARNINGS": "ignore",
        }
        if self._brief:
            own["PYTHONPATH"] = BRIEF
        return {**os.environ, **own, **more}

    def start_scheduler(self) -> None:
        """Start it, at the address that it had before."""
        port = self.address.rpartition(":")[2] or "0"
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        options = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"]
        self._start("scheduler", ["scheduler", *options, "--scheduler-file", str(file)])
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def start_worker(
        self,
        name: str,
        *options: str,
        limit: int = 0,
        given: str | None = None,
        nanny: bool = False,
        cache: Path | None = None,
    ) -> None:
        """Start one that is the host ``name``, whose files may have ``limit`` bytes.

        What is compiled there is kept in ``cache``, or where all others keep it.
        """
        identity = name if given is None else given
        more = {GIVEN: identity} if identity else {}
        if cache:
            more["XDG_CACHE_HOME"] = str(cache)
        line = ["worker", self.address, "--nthreads", "1", "--no-dashboard", *options]
        line += ["--nanny" if nanny else "--no-nanny"]
        self._start(name, line, limit, **more)

    def _start(self, name: str, line: list[str], limit: int = 0, **more: str) -> None:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *line],
                cwd=self.folder,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=limited if limit else None,
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()

    def client(self, *arguments: str, below: str = ".") -> subprocess.Popen[str]:
        """Start dirtyscan with ``arguments`` for this cluster, in or below its folder."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *_with(arguments, "--cluster", self.address)],
            cwd=self.folder / below,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, *arguments: str, below: str = ".") -> tuple[int, str]:
        """Run dirtyscan with ``arguments`` for this cluster; return its status and its words."""
        with self.client(*arguments, below=below) as client:
            said = client.communicate(timeout=600)[0]
        return client.returncode, said

    def run_here(self, *arguments: str) -> None:
        """Run dirtyscan with ``arguments`` beside the cluster; what it compiles is kept for all."""
        command = [sys.executable, "-m", "harness", *arguments]
        environment = self.environment()
        subprocess.run(
            command, cwd=self.folder, env=environment, check=True, capture_output=True, timeout=600
        )

    def wait_for_workers(self, count: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)

    def wait_for_no_worker(self) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            wait_until(lambda: not client.nthreads())

    def samples(self) -> dict[str, bytes]:
        """Return what has been measured and is kept on the hosts, by host and process."""
        found = {}
        for folder, _, names in os.walk(self.state):
            for name in filter(is_of_process, names):
                path = Path(folder) / name
                with contextlib.suppress(FileNotFoundError):
                    found[f"{path.relative_to(self.state).parts[2]}/{name}"] = path.read_bytes()
        return found


def _with(arguments: tuple[str, ...], *more: str) -> list[str]:
    """Return ``arguments`` with ``more`` before what stands behind --."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:place], *more, *arguments[place:]]


@contextlib.contextmanager
def local_cluster(
    folder: Path, start: Callable[[LocalCluster], None] | None = None, brief: bool = False
) -> Iterator[LocalCluster]:
    """Have a cluster of the hosts a and b, or of what ``start`` starts, and a trace beside it.

    Args:
        brief: whether it measures in two processes, which may be over before they can be ended.
    """
    store(folder / "small.trace", [np.arange(640) % 7 < n for n in range(1, 7)])
    cluster = LocalCluster(folder, brief)
    try:
        cluster.start_scheduler()
        if start:
            start(cluster)
        else:
            for name in ("a", "b"):
                cluster.start_worker(name)
        if len(cluster.processes) > 1:
            cluster.wait_for_workers(len(cluster.processes) - 1)
        yield cluster
    finally:
        for name in list(cluster.processes):
            cluster.kill(name)
