"""Captures of a real guest. They are skipped where QEMU or a kernel is missing."""

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import BadInput
from harness.cli import main
from tests.conftest import LONGEST, Run, wait_until
from tests.needs import needs
from tests.qemus import each_qemu
from workloads.capture.disk import CLUSTER, make_disk
from workloads.capture.equipment import find_equipment
from workloads.capture.kernel import (
    kernel_release,
    module_folder,
    modules_in_order,
    newest_kernel,
    read_module,
)
from workloads.capture.migration import Limits, migrate_away
from workloads.capture.qemu import Qemu
from workloads.trace import open_trace


def missing() -> str:
    try:
        find_equipment()
    except BadInput as error:
        return str(error)
    return ""


needs_qemu = pytest.mark.skipif(bool(missing()), reason=missing() or "here")
CAPTURE = ["trace", "capture", "--accelerator", "tcg", "--bandwidth", "256MiB", "--seconds", "6"]


def capture(dirtyscan: Run, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Capture, and do what a refusal says: on a busy machine polls may miss a short round."""
    for _ in range(3):
        done = dirtyscan(*CAPTURE, *arguments, **options)
        if "the capture is refused" not in done.stderr:
            return done
    pytest.skip(f"three captures were refused on this busy machine: {done.stderr}")


def qemus_in(folder: Path) -> list[str]:
    """The command lines of the QEMUs that have something in ``folder``."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "qemu-system" in line and str(folder) in line:
            lines.append(line)
    return lines


@needs_qemu
@each_qemu
def test_cond2_is_captured(qemu: str, dirtyscan: Run, tmp_path: Path, scratch: Path) -> None:
    where = {**os.environ, "TMPDIR": str(scratch)}
    done = capture(dirtyscan, "cond2", "--qemu", qemu, env=where)
    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == []
    assert qemus_in(scratch) == []
    trace = open_trace(tmp_path / "traces/cond2.trace")
    trace.verify()
    assert trace.source.origin == "captured"
    assert trace.source.condition == "cond2"
    assert trace.source.parameters["accelerator"]["value"] == "tcg"
    assert trace.source.parameters["qemu"]["value"].count(".") == 2
    assert trace.source.parameters["qmp_polls_compared"]["value"] > 0
    assert len(trace.source.parameters["rounds"]["value"]) >= 3
    # All of memory in the first round; later every other page of 256 MiB.
    assert max(trace.remaining) > 100_000
    alternating = []
    for bitmap in trace.bitmaps():
        dirty = np.unpackbits(bitmap, bitorder="little").astype(bool)
        alone = dirty[1:-1] & ~dirty[:-2] & ~dirty[2:]
        alternating.append(dirty.sum() > 10_000 and alone.sum() > 0.9 * dirty.sum())
    assert any(alternating)
    assert not alternating[0]


@needs_qemu
def test_a_command_is_captured(dirtyscan: Run, tmp_path: Path) -> None:
    """A user's own program: it writes 8 MiB again and again."""
    (tmp_path / "own.c").write_text(
        "#include <stdlib.h>\n#include <unistd.h>\n"
        "int main(void) { volatile char *m = malloc(8 << 20); for (;;) { for (int i = 0; "
        "i < 8 << 20; i += 64) m[i] += i >> 6 | 1; usleep(50000); } }\n"
    )
    subprocess.run(["cc", "-O1", "-static", "-o", "own", "own.c"], cwd=tmp_path, check=True)
    # Slowly enough that QEMU, asked every 20 ms, is seen in each of its rounds.
    done = capture(dirtyscan, "./own", "--bandwidth", "32MiB")
    assert done.returncode == 0, done.stderr
    trace = open_trace(tmp_path / "traces/own.trace")
    assert trace.source.condition is None
    rounds = trace.source.parameters["rounds"]["value"]
    assert any(2000 <= r["dirty"] <= 4000 for r in rounds[1:])


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="capture-") as name:
        yield Path(name)


@needs_qemu
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_capture_that_is_ended(
    how: int, tmp_path: Path, scratch: Path
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "harness", *CAPTURE, "cond1", "--seconds", "60"],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(scratch)}, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: list(scratch.glob("*/migration")) or run.poll() is not None)
    assert run.poll() is None
    folder = next(scratch.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(qemus_in(scratch)) == 1
    run.send_signal(how)
    _, errors = run.communicate(timeout=LONGEST)
    wait_until(lambda: qemus_in(scratch) == [])
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert "Traceback" not in errors
        assert list(scratch.iterdir()) == []
    assert not list(tmp_path.glob("traces/*.trace"))


@needs_qemu
def test_a_guest_that_does_not_boot(dirtyscan: Run, tmp_path: Path) -> None:
    """A kernel that is none: QEMU ends, and one sentence says so."""
    kernel = newest_kernel()
    assert kernel
    broken = tmp_path / kernel.name
    broken.write_bytes(b"not a kernel" * 1000)
    done = dirtyscan(*CAPTURE, "cond1", "--kernel", str(broken))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "QEMU ended" in done.stderr or "did not get ready" in done.stderr


@needs_qemu
def test_a_guest_that_fails_says_why(dirtyscan: Run, tmp_path: Path) -> None:
    """A command that begins as a program for this machine does, and of which nothing is loaded."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 4096, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    (tmp_path / "nothing").write_bytes(head)
    done = dirtyscan(*CAPTURE, "./nothing")
    assert done.returncode == 2
    assert "FAILED: starting the command" in done.stderr


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (["cc", "-o", "own", "own.c"], "it needs libraries, which the guest has not"),
        (["cc", "-c", "-o", "own", "own.c"], "it is no program"),
        (["cc", "-shared", "-o", "own", "own.c"], "it is no program"),
        (["aarch64-linux-gnu-gcc", "-static", "-o", "own", "own.c"], "for another machine"),
        (["cp", "own.c", "own"], "it is no program"),
    ],
)
@pytest.mark.parametrize("action", ["capture", "record"])
def test_what_a_guest_cannot_run_is_refused_before_it_boots(
    action: str, made: list[str], says: str, dirtyscan: Run, tmp_path: Path
) -> None:
    """It was told after 22 s, with another kernel as the remedy."""
    if shutil.which(made[0]) is None:
        pytest.skip("needs gcc-aarch64-linux-gnu" if "aarch64" in made[0] else f"needs {made[0]}")
    (tmp_path / "own.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(made, cwd=tmp_path, check=True)
    done = dirtyscan("trace", action, "./own", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 2
    assert says in done.stderr
    assert "give a static program for this machine, as 'cc -static' makes it." in done.stderr


def test_what_cannot_be_captured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "capture", "cond9"]) == 2
    assert "'cond9' cannot be captured; give one of cond1" in capsys.readouterr().err


def test_all_that_a_capture_lacks_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("workloads.capture.kernel.BOOT", tmp_path)
    assert main(["trace", "capture", "cond1"]) == 2
    assert capsys.readouterr().err == (
        "dirtyscan: a capture needs qemu-system-x86_64 and a C compiler and a kernel in /boot that "
        "can be read, which this machine lacks; run 'apt-get install qemu-system-x86 gcc libc6-dev "
        "linux-image-cloud-amd64' (or name a kernel elsewhere with --kernel).\n"
    )
    # What is here is not named, and a kernel that was named is not looked for.
    for program in ("qemu-system-x86_64", "cc"):
        (tmp_path / program).touch(0o755)
    with pytest.raises(BadInput, match=r"^a capture needs a kernel in /boot that can be read, "):
        find_equipment()
    assert find_equipment(tmp_path / "mine").kernel == tmp_path / "mine"
    for version in ("6.9.1", "6.10.0"):
        (tmp_path / f"vmlinuz-{version}-amd64").touch()
    assert find_equipment().kernel.name == "vmlinuz-6.10.0-amd64"


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(
        "a/ring.ko:\na/virtio.ko: a/ring.ko\na/virtio-pci.ko.xz: a/virtio.ko a/ring.ko\n"
        "b/other.ko:\n"
    )
    found = modules_in_order(tmp_path, ("virtio_pci", "built_in"))
    assert [path.name for path in found] == ["ring.ko", "virtio.ko", "virtio-pci.ko.xz"]


@needs("qemu-img")
def test_the_disk_is_of_its_size_and_has_data_everywhere(tmp_path: Path) -> None:
    size = 40 * 2**20 + CLUSTER
    make_disk(tmp_path / "disk", size)
    assert (tmp_path / "disk").stat().st_size < 2**20
    command = ["qemu-img", "convert", "-O", "raw", str(tmp_path / "disk"), str(tmp_path / "raw")]
    subprocess.run(command, check=True)
    raw = np.fromfile(tmp_path / "raw", dtype=np.uint8).reshape(-1, 4096)
    assert raw.size == size
    assert (raw.min(axis=1) < raw.max(axis=1)).all()


def test_kernels_that_only_root_may_read_are_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As Ubuntu's are; root reads them all the same, so here it is a folder."""
    (tmp_path / "vmlinuz-6.8.0").mkdir()
    monkeypatch.setattr("workloads.capture.kernel.BOOT", tmp_path)
    with pytest.raises(BadInput, match="root alone can read the kernels in /boot"):
        find_equipment(qemu=sys.executable)


def test_a_qemu_that_is_none_is_named() -> None:
    with pytest.raises(BadInput, match="--qemu /nowhere/qemu is no program"):
        find_equipment(qemu="/nowhere/qemu")


def boot_image(release: str) -> bytes:
    """The beginning of a kernel's image that says its release (Linux: boot.rst)."""
    image = bytearray(0x1000)
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = (0x800).to_bytes(2, "little")
    text = f"{release} (builder@host) #1 SMP".encode() + bytes(1)
    image[0xA00 : 0xA00 + len(text)] = text
    return bytes(image)


def test_modules_are_found_of_a_kernel_of_another_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workloads.capture.kernel.MODULES", tmp_path)
    (tmp_path / "6.12.1-arch1-1").mkdir()
    kernel = tmp_path / "vmlinuz-linux"
    kernel.write_bytes(boot_image("6.12.1-arch1-1"))
    assert module_folder(kernel) == tmp_path / "6.12.1-arch1-1"
    kernel.write_bytes(boot_image("6.13.0"))
    with pytest.raises(BadInput, match=r"has no modules in .*/6\.13\.0; install the package"):
        module_folder(kernel)
    for image in (b"", b"not a kernel" * 1000, boot_image("../../etc"), boot_image("")):
        kernel.write_bytes(image)
        assert kernel_release(kernel) == ""


@needs_qemu
def test_the_kernel_that_is_here_says_its_release() -> None:
    kernel = newest_kernel()
    assert kernel
    assert kernel_release(kernel) == kernel.name.removeprefix("vmlinuz-")


@needs("zstd")
def test_a_module_that_is_compressed_with_zstd(tmp_path: Path) -> None:
    module = tmp_path / "a.ko"
    module.write_bytes(bytes(range(256)) * 100)
    subprocess.run(["zstd", "-q", str(module)], check=True)
    compressed = tmp_path / "a.ko.zst"
    assert read_module(compressed) == module.read_bytes()
    compressed.write_bytes(compressed.read_bytes()[:50])
    with pytest.raises(BadInput, match=r"module .*a\.ko\.zst cannot be decompressed \("):
        read_module(compressed)


def test_without_zstd_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = tmp_path / "a.ko.zst"
    module.touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="run 'apt-get install zstd'"):
        read_module(module)


class BrokenOff(Qemu):
    """A QEMU whose stream cannot be decoded, and which then says that its pipe broke."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._failed = False

    async def execute(self, command: str, **arguments: object) -> Any:
        if command == "migrate":
            _, self._writer = await asyncio.open_unix_connection(str(self._socket))
            self._writer.write(b"QEVM" + bytes([0, 0, 0, 3, 8, 0, 4, 0, 0]))
            await self._writer.drain()
            self._writer.close()
            self._failed = True
        if self._failed:
            return {"status": "failed", "error-desc": "Unable to write to socket: Broken pipe"}
        return {}

    def check(self) -> None:
        pass


def test_why_a_stream_cannot_be_decoded_is_said_before_its_consequence(scratch: Path) -> None:
    qemu = BrokenOff(scratch / "migration")
    limits = Limits(bandwidth=2**20, max_downtime=30, seconds=LONGEST)
    with pytest.raises(BadInput, match=r"post-copy \(its command postcopy-listen\)"):
        asyncio.run(migrate_away(qemu, scratch, limits, lambda _: None))
