"""Hosts over SSH: servers on this machine, each of which starts programs as another host."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs distributed")

from harness.cluster.identity import GIVEN
from tests.clusters import BENCH, BRIEF
from tests.conftest import store

asyncssh = pytest.importorskip("asyncssh", reason="needs asyncssh")
CONFIG = """
Host {name}
    HostName 127.0.0.1
    Port {port}
    User somebody
    IdentityFile {home}/.ssh/key
    UserKnownHostsFile {home}/.ssh/known_hosts
"""


class Servers:
    """Servers of SSH that run in a thread until the block ends (a context manager)."""

    def __init__(self, home: Path, names: list[str]) -> None:
        self._home = home
        self._names = names
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Servers":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        """Serve until the end; whatever still runs then is cancelled and waited for."""
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        folder = self._home / ".ssh"
        folder.mkdir()
        key, host_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        key.write_private_key(str(folder / "key"))
        key.write_public_key(str(folder / "authorized"))
        config, known = "", ""
        async with contextlib.AsyncExitStack() as stack:
            for name in self._names:
                server = await asyncssh.listen(
                    "127.0.0.1",
                    0,
                    server_host_keys=[host_key],
                    authorized_client_keys=str(folder / "authorized"),
                    process_factory=self._runner(name),
                )
                await stack.enter_async_context(server)
                port = server.get_port()
                config += CONFIG.format(name=name, port=port, home=self._home)
                public = host_key.export_public_key().decode().strip()
                known += f"[127.0.0.1]:{port} {public}\n[{name}]:{port} {public}\n"
            (folder / "config").write_text(config, encoding="utf-8")
            (folder / "known_hosts").write_text(known, encoding="utf-8")
            self._ready.set()
            await self._end.wait()

    def _runner(self, name: str) -> Any:
        own = {
            "XDG_STATE_HOME": str(self._home / "state"),
            "TMPDIR": str(self._home),
            "PYTHONPATH": BRIEF,
        }
        environment = {**os.environ, GIVEN: name, **own}

        async def run(process: Any) -> None:
            child = await asyncio.create_subprocess_shell(
                process.command,
                env=environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                # All of it before the exit: what comes after would end the whole connection.
                await asyncio.gather(
                    pass_on(child.stdout, process.stdout), pass_on(child.stderr, process.stderr)
                )
                process.exit(await child.wait())
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, 9)
                await child.communicate()  # to its end, so that nothing of it is left open

        return run


async def pass_on(said: Any, channel: Any) -> None:
    while data := await said.read(1 << 16):
        with contextlib.suppress(OSError):  # nobody listens any more
            channel.write(data.decode(errors="replace"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    store(tmp_path / "small.trace", [np.arange(640) % 7 < n for n in range(1, 7)])
    with Servers(tmp_path, ["head", "one", "two"]):
        yield tmp_path


def ask(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=home,
        env={**os.environ, "HOME": str(home), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_hosts_over_ssh_measure(home: Path) -> None:
    done = ask(home, *BENCH, "--hosts", "head,one,two", "--output", "o")
    assert done.returncode == 0, done.stderr
    found = json.loads((home / "o/cluster.json").read_text(encoding="utf-8"))
    assert {name: host["state"] for name, host in found["hosts"].items()} == {
        "one": "finished", "two": "finished",
    }  # fmt: skip
    assert (home / "o/one/speedups.csv").exists()
    assert (home / "o/two/speedups.csv").exists()


def test_a_host_that_ssh_does_not_reach_is_a_sentence(home: Path) -> None:
    done = ask(home, *BENCH, "--hosts", "head,nowhere.invalid", "--output", "o")
    assert done.returncode == 2
    assert "cannot be used over SSH" in done.stderr
    assert "see that 'ssh HOST' works without a password" in done.stderr
    assert "Traceback" not in done.stderr
