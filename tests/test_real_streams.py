"""Streams that a real QEMU saved, of guests that nothing runs in: every page as QEMU counted it."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import BadInput
from tests.conftest import LONGEST
from tests.qemus import each_qemu
from workloads.capture.stream import StreamDecoder
from workloads.importers.stream import import_stream

RUNNING = ("-m", "128M")
RAM = ("-S", *RUNNING)
NUMA = (
    *("-S", "-m", "128M", "-smp", "2"),
    *("-object", "memory-backend-ram,id=m0,size=64M", "-numa", "node,memdev=m0,cpus=0"),
    *("-object", "memory-backend-ram,id=m1,size=64M", "-numa", "node,memdev=m1,cpus=1"),
)
DIMM = (
    *("-S", "-m", "64M,slots=2,maxmem=1G", "-object", "memory-backend-ram,id=plugged,size=128M"),
    *("-device", "pc-dimm,memdev=plugged"),
)
VIDEO = (*RAM, "-device", "VGA,vgamem_mb=256")
SHARED = (
    *("-S", "-m", "64M", "-object", "memory-backend-file,id=mem,size=64M,mem-path=ram,share=on"),
    *("-machine", "memory-backend=mem"),
)


class Monitor:
    """QEMU's monitor on its standard input and output."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answer()
        self.run("qmp_capabilities")

    def run(self, command: str, **arguments: object) -> Any:
        assert self._process.stdin
        request = {"execute": command, "arguments": arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        while "return" not in (answer := self._answer()):
            assert "error" not in answer, answer
        return answer["return"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer


@contextlib.contextmanager
def running(qemu: str, options: tuple[str, ...], folder: Path) -> Iterator[Monitor]:
    """A guest without a system, which mostly has not begun to run."""
    command = [qemu, "-nodefaults", "-display", "none", "-qmp", "stdio", *options]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Monitor(process)
        finally:
            process.kill()


def save(
    qemu: str, options: tuple[str, ...], folder: Path, *capabilities: str, uri: str = ""
) -> tuple[Path, dict[str, int]]:
    """Save a guest's stream; return its file, and what QEMU says of the RAM that it sent."""
    with running(qemu, options, folder) as monitor:
        wanted = [{"capability": name, "state": True} for name in capabilities]
        monitor.run("migrate-set-capabilities", capabilities=wanted)
        monitor.run("migrate-set-parameters", **{"max-bandwidth": 2**40})
        end = time.monotonic() + LONGEST
        monitor.run("migrate", uri=uri or "exec:cat > saved")
        while (state := monitor.run("query-migrate"))["status"] != "completed":
            assert state["status"] not in ("failed", "cancelled"), state
            assert time.monotonic() < end, state
            time.sleep(0.01)
    return folder / "saved", state["ram"]


@each_qemu
@pytest.mark.parametrize(
    ("options", "capabilities", "pages", "blocks"),
    [
        (RAM, (), 32768, "pc.ram (128MiB)"),
        (NUMA, (), 32768, "m0 (64MiB), m1 (64MiB)"),
        (DIMM, (), 49152, "pc.ram (64MiB), plugged (128MiB)"),
        (VIDEO, (), 32768, "pc.ram (128MiB)"),
        (("-machine", "q35", *RAM), (), 32768, "pc.ram (128MiB)"),
        (RAM, ("x-ignore-shared",), 32768, "pc.ram (128MiB)"),
    ],
    ids=["plain", "numa", "dimm", "video", "q35", "ignore-shared"],
)
def test_a_stream_of_a_real_qemu(
    qemu: str,
    options: tuple[str, ...],
    capabilities: tuple[str, ...],
    pages: int,
    blocks: str,
    tmp_path: Path,
) -> None:
    path, counters = save(qemu, options, tmp_path, *capabilities)
    decoder = StreamDecoder()
    decoder.feed(path.read_bytes())
    decoder.finish()
    zero = np.array(decoder.sent) & 1
    assert len(zero) == counters["normal"] + counters["duplicate"]
    assert zero.sum() == counters["duplicate"]
    trace = import_stream(path, tmp_path / "t", "a", 2**20)
    assert trace.source.memory.pages == pages
    assert trace.source.parameters["blocks"]["value"] == blocks
    assert 0 < max(trace.remaining) <= pages
    assert trace.remaining[-1] == 0


@each_qemu
def test_shared_memory_that_a_real_qemu_did_not_send(qemu: str, tmp_path: Path) -> None:
    path, _ = save(qemu, SHARED, tmp_path, "x-ignore-shared")
    with pytest.raises(BadInput, match=r"no RAM block of the guest was sent \(x-ignore-shared"):
        import_stream(path, tmp_path / "t", "a", 2**25)


@each_qemu
def test_a_background_snapshot_is_named(qemu: str, tmp_path: Path) -> None:
    try:
        path, _ = save(qemu, RUNNING, tmp_path, "background-snapshot")
    except AssertionError as error:
        pytest.skip(f"this kernel does not let QEMU take a background snapshot ({error})"[:200])
    with pytest.raises(BadInput, match="as a background snapshot has"):
        import_stream(path, tmp_path / "t", "a", 2**25)
