"""Recordings: what a process writes is found page by page, on a program and on a real guest."""

import asyncio
import contextlib
import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.cli import main
from tests.conftest import LONGEST, Run, wait_until
from tests.qemus import each_qemu
from tests.test_capture import needs_qemu, qemus_in
from workloads.capture.equipment import find_equipment
from workloads.capture.machine import booted, prepare
from workloads.capture.qemu import Qemu, private_folder
from workloads.capture.ram_blocks import lay_out
from workloads.capture.stream import StreamDecoder
from workloads.capture.workload import Workload
from workloads.guest import GuestMemory
from workloads.precopy import PreCopyParameters
from workloads.record.memory import LiveMemory, live_memory
from workloads.record.recording import Clock, Recorded, follow
from workloads.record.shim import WriteLog, build_shim, preloaded
from workloads.trace import open_trace

PAGES = 4096
SIZE = PAGES * 4096
RECORD = ["trace", "record", "--accelerator", "tcg", "--guest-memory", "256MiB"]
# Maps shared memory as a hypervisor does, and writes what it is told to: a line a page and a byte.
WRITER = """
#define _GNU_SOURCE
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static void nothing(int number) { (void)number; }
int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = nothing};
    sigset_t mine;
    sigaction(SIGUSR1, &action, 0);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    if (argc > 4) sigprocmask(SIG_BLOCK, &mine, 0); /* so that another thread would take it */
    size_t size = strtoull(argv[1], 0, 10);
    unsigned page, value;
    int count = atoi(argv[2]), shared = argc < 4 || argv[3][0] != 'p', i;
    char *m = 0;
    for (i = 0; i < count; i++) {
        int fd = memfd_create("ram", 0);
        if (ftruncate(fd, size)) return 1;
        m = mmap(0, size, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    }
    puts("ready"); fflush(stdout);
    while (scanf("%u %u", &page, &value) == 2) {
        memset(m + page * 4096ull, (int)value, value == 255 ? 1 : 4096);
        puts("done"); fflush(stdout);
    }
}
"""


class Program:
    """A running writer, and our connection to the shim in it."""

    def __init__(self, process: "subprocess.Popen[str]", log: WriteLog) -> None:
        self.process = process
        self.log = log

    def write(self, page: int, value: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{page} {value}\n")
        self.process.stdin.flush()
        self.hear()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim and the writer."""
    folder = tmp_path_factory.mktemp("record")
    build_shim("cc", folder)
    (folder / "writer.c").write_text(WRITER)
    subprocess.run(["cc", "-O1", "-o", "writer", "writer.c"], cwd=folder, check=True)
    return folder


@contextlib.contextmanager
def running(built: Path, *arguments: str, size: int = SIZE) -> Iterator[Program]:
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen(
        [built / "writer", *(arguments or (str(SIZE), "1"))],
        env=preloaded(built / "shim.so", theirs), pass_fds=[theirs.fileno()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        theirs.close()
        program = Program(process, WriteLog(ours, process.pid, size))
        program.hear()
        try:
            yield program
        finally:
            process.kill()


def watch(program: Program) -> int:
    """Begin to watch; skipped where this kernel cannot."""
    try:
        return program.log.attach()
    except BadInput as error:
        if "boot Linux 6.7" in str(error) or "does not allow userfaultfd" in str(error):
            pytest.skip(f"recording: {error}")
        raise


def written(program: Program) -> list[int]:
    return np.flatnonzero(program.log.scan().pages).tolist()


def test_what_a_process_writes_is_found_page_by_page(built: Path) -> None:
    with running(built) as program:
        os.close(watch(program))
        written(program)  # untouched pages and all
        assert written(program) == []
        for page in (0, 7, 8, 9, 63, 64, 1000, PAGES - 1):
            program.write(page, 1)
        assert written(program) == [0, 7, 8, 9, 63, 64, 1000, PAGES - 1]
        assert written(program) == []
        program.write(7, 255)
        program.write(7, 255)
        assert written(program) == [7]


def test_many_pages_apart_are_more_than_one_answer_of_the_kernel(built: Path) -> None:
    pages = 2 * 70_000
    with running(built, str(pages * 4096), "1", size=pages * 4096) as program:
        os.close(watch(program))
        written(program)
        for page in range(0, 400, 2):
            program.write(page, 1)
        assert written(program) == list(range(0, 400, 2))


def test_which_pages_hold_one_byte_is_read_as_they_are(built: Path) -> None:
    with running(built) as program, live_memory(watch(program), SIZE) as memory:
        program.write(5, 0)  # zeros that somebody wrote
        program.write(6, 7)
        program.write(9, 255)  # one byte differs from the others
        touched = memory.touched()
        assert np.flatnonzero(touched).tolist() == [5, 6, 9]
        uniform = memory.uniform(np.arange(PAGES), touched)
        assert np.flatnonzero(~uniform).tolist() == [9]
        program.write(9, 3)
        assert memory.uniform(np.array([9]), memory.touched()).tolist() == [True]
        assert not memory.touched()[4]  # a hole is not filled by looking


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((str(SIZE // 2), "1"), "it has no mapping of 16MiB; give the size of its guest memory"),
        ((str(SIZE), "2"), "it has several mappings of 16MiB"),
        ((str(SIZE), "1", "private"), "its mapping of 16MiB is not shared memory of a file"),
    ],
)
def test_memory_that_cannot_be_watched_is_named(
    arguments: tuple[str, ...], says: str, built: Path
) -> None:
    with running(built, *arguments) as program, pytest.raises(BadInput, match=says):
        program.log.attach()


def test_a_process_that_ends_is_named(built: Path) -> None:
    with running(built) as program:
        os.close(watch(program))
        program.process.kill()
        program.process.wait()
        with pytest.raises(BadInput, match=rf"process {program.process.pid} is gone"):
            program.log.scan()


def test_signals_of_the_process_do_not_break_the_connection(built: Path) -> None:
    """QEMU has timers and children; the kernel gives their signals to any thread."""
    with running(built, str(SIZE), "1", "shared", "blocked") as program:
        os.close(watch(program))
        for _ in range(20):
            program.process.send_signal(signal.SIGUSR1)
            time.sleep(0.01)
        written(program)
        program.write(3, 1)
        assert written(program) == [3]


def test_what_the_process_starts_is_not_watched(built: Path) -> None:
    """The shim takes itself out of the environment, and its connection is not inherited."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            ["sh", "-c", "env; exec sh -c 'ls -l /proc/self/fd'"],
            env=preloaded(built / "shim.so", theirs), pass_fds=[theirs.fileno()],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert "LD_PRELOAD" not in done.stdout
    assert "DIRTYSCAN_RECORD" not in done.stdout


class Written:
    """A write log that says what a script says."""

    def __init__(self, script: list[list[int]], pages: int) -> None:
        self._script = [list(range(pages)), *script]
        self._pages = pages

    def scan(self) -> "Written":
        self.seconds = 0.001
        self.pages: NDArray[np.bool_] = np.zeros(self._pages, dtype=np.bool_)
        self.pages[self._script.pop(0) if self._script else []] = True
        return self


def memory_of(content: NDArray[np.uint8], folder: Path) -> LiveMemory:
    (folder / "memory").write_bytes(content.tobytes())
    return LiveMemory(os.open(folder / "memory", os.O_RDONLY), content.size)


def test_the_loop_runs_on_what_is_written_and_what_pages_hold(tmp_path: Path) -> None:
    """20 pages a tick of data; a page of one byte costs next to nothing."""
    content = np.tile(np.arange(4096, dtype=np.uint8), (100, 1))
    content[60:] = 1
    memory = memory_of(content, tmp_path)
    limits = PreCopyParameters(bandwidth=20 * 4104 * 10, max_ticks=8, max_downtime=0)
    log = Written([[], [0, 1], [99], [50]], 100)
    recorded = asyncio.run(
        follow(log, memory, limits, lambda: None, lambda *_: None, Delayed({}))  # type: ignore[arg-type]
    )
    dirty = [
        np.flatnonzero(np.unpackbits(bits, count=100, bitorder="little")).tolist()
        for _, bits in recorded.snapshots
    ]
    memory.close()
    late = [0, 1, *range(60, 100)]
    assert dirty == [list(range(20, 100)), [0, 1, *range(40, 100)], late, []]
    assert [time_ms for time_ms, _ in recorded.snapshots] == [100, 200, 300, 400]
    assert recorded.converged


class Delayed(Clock):
    """A clock that stands still but where ticks wait for it, some of them too long."""

    def __init__(self, delays: dict[int, float]) -> None:
        self._now, self._waits, self._delays = 0.0, 0, delays

    def now(self) -> float:
        return self._now

    async def wait_until(self, due: float) -> None:
        self._waits += 1
        self._now = max(self._now, due) + self._delays.get(self._waits, 0.0)


def follow_for(ticks: int, folder: Path, delays: dict[int, float]) -> Recorded:
    memory = memory_of(np.tile(np.arange(4096, dtype=np.uint8), (100, 1)), folder)
    limits = PreCopyParameters(max_ticks=ticks, bandwidth=41040, max_downtime=0)
    log = Written([[]] * ticks, 100)
    with contextlib.closing(memory):
        return asyncio.run(
            follow(log, memory, limits, lambda: None, lambda *_: None, Delayed(delays))  # type: ignore[arg-type]
        )


def test_ticks_that_are_late_or_over_are_counted(tmp_path: Path) -> None:
    """A scan may be late by 10 ms; a tick is lost when the next one is due."""
    recorded = follow_for(40, tmp_path, {3: 0.009, 5: 0.02, 8: 0.25})
    assert (recorded.punctuality.late, recorded.punctuality.lost) == (2, 2)
    times = [time_ms for time_ms, _ in recorded.snapshots]
    assert times == [n * 100 for n in range(1, 41) if n not in (8, 9)]
    facts = recorded.punctuality.parameters()
    assert facts["lost_ticks"] == {"value": 2, "unit": "ticks"}
    assert facts["scan_median"] == {"value": 1.0, "unit": "ms"}


def test_a_machine_that_is_too_busy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match="5 of 40 ticks came more than a tenth too late, 4 of them when they were"
    ):
        follow_for(40, tmp_path, {8: 0.45})


# Writes every third of 240 pages again and again, and says at which addresses of the machine it
# does and does not.
PATTERN = """
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    volatile char *m = mmap(0, 240 * 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int map = open("/proc/self/pagemap", O_RDONLY), i;
    uint64_t entry;
    for (i = 0; i < 240; i++) m[i * 4096] = 1;
    for (i = 0; i < 240; i++) {
        pread(map, &entry, 8, ((uintptr_t)m / 4096 + i) * 8);
        entry &= (1ull << 55) - 1;
        printf("%s%llx%s", i % 12 ? " " : "frames:", (unsigned long long)entry,
               i % 12 == 11 ? "\\n" : "");
    }
    fflush(stdout);
    for (;;) {
        for (i = 0; i < 240; i += 3) m[i * 4096]++;
        usleep(20000);
    }
}
"""


GUEST = GuestMemory(256 * 2**20)


@contextlib.asynccontextmanager
async def watched_guest(
    qemu: str, built: Path, tmp_path: Path
) -> AsyncIterator[tuple[Qemu, WriteLog, int]]:
    """A guest that runs the pattern, the log of what it writes, and its memory, an open file."""
    (tmp_path / "pattern.c").write_text(PATTERN)
    command = ["cc", "-O1", "-w", "-static", "-o", "pattern", "pattern.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    workload = Workload("pattern", None, {"workload": "command"}, command=tmp_path / "pattern")
    ours, theirs = socket.socketpair()
    with ours, theirs, private_folder() as folder:
        machine = dataclasses.replace(
            prepare(workload, GUEST, find_equipment(qemu=qemu), folder),
            shared=True,
            environment=preloaded(built / "shim.so", theirs),
            descriptors=(theirs.fileno(),),
        )
        async with booted(machine, folder) as guest:
            log = WriteLog(ours, guest.process, GUEST.size)
            try:
                file = log.attach()
            except BadInput as error:
                pytest.skip(f"recording: {error}")
            try:
                yield guest, log, file
            finally:
                os.close(file)


async def frames_of(guest: Qemu) -> list[int]:
    """Wait until the pattern has said where its pages are."""
    frames: list[int] = []
    while len(frames) < 240:
        await asyncio.sleep(0.1)
        said = " ".join(line for line in guest.said if "frames:" in line)
        frames = [int(n, 16) for n in re.sub("frames:", " ", said).split()]
    return frames


@needs_qemu
@each_qemu
def test_what_a_guest_writes_is_found_page_by_page(qemu: str, built: Path, tmp_path: Path) -> None:
    async def look() -> tuple[list[int], list[NDArray[np.bool_]]]:
        async with watched_guest(qemu, built, tmp_path) as (guest, log, _):
            frames = await frames_of(guest)
            log.scan()
            scans = []
            for _ in range(8):
                await asyncio.sleep(0.3)
                scans.append(log.scan().pages)
            return frames, scans

    frames, scans = asyncio.run(look())
    expected = {frame for number, frame in enumerate(frames) if number % 3 == 0}
    assert len(set(frames)) == 240
    found = np.logical_or.reduce(scans)
    assert {frame for frame in frames if found[frame]} == expected
    # In most of the scans, each of 300 ms, all of them.
    assert sum({frame for frame in frames if scan[frame]} == expected for scan in scans) >= 4


def looks_like_a_page_table(page: NDArray[np.uint64]) -> bool:
    """Whether all entries are present ones of pages below 4 GiB, or none (Intel SDM, 4.5)."""
    entries = page[page != 0]
    frames = (entries & np.uint64(0x000FFFFFFFFFF000)) >> np.uint64(12)
    return bool(((entries & np.uint64(1)) == 1).all() and (frames < 2**20).all())


@needs_qemu
@each_qemu
def test_all_that_a_migration_sends_again_was_seen_to_be_written(
    qemu: str, built: Path, tmp_path: Path
) -> None:
    """Today's QEMU and the recorder watch the same guest, each in its own way.

    But for page tables: where QEMU emulates the CPU, to walk one is a write to it.
    """

    async def look() -> tuple[list[int], NDArray[np.bool_], NDArray[np.uint64]]:
        async with (
            asyncio.timeout(LONGEST),
            watched_guest(qemu, built, tmp_path) as (guest, log, file),
        ):
            frames = await frames_of(guest)
            log.scan()
            # Held back until the guest has written each page again, however busy the machine is.
            await guest.execute("migrate-set-parameters", **{"max-bandwidth": 2**16})
            await guest.execute("migrate", uri=f"exec:cat > {tmp_path / 'saved'}")
            written = np.zeros(GUEST.pages, dtype=np.bool_)
            while "ram" not in (state := await guest.execute("query-migrate")):
                await asyncio.sleep(0.01)
            assert state["ram"]["dirty-sync-count"] >= 1, state
            written |= log.scan().pages
            since = np.zeros_like(written)
            while not since[frames[::3]].all():
                await asyncio.sleep(0.1)
                since |= log.scan().pages
            state = await guest.execute("query-migrate")
            assert (state["status"], state["ram"]["dirty-sync-count"]) == ("active", 1), state
            written |= since
            await guest.execute("migrate-set-parameters", **{"max-bandwidth": 2**25})
            while (state := await guest.execute("query-migrate"))["status"] != "completed":
                assert state["status"] in ("active", "device"), state
                written |= log.scan().pages
                await asyncio.sleep(0.1)
            content = np.frombuffer(os.pread(file, GUEST.size, 0), dtype=np.uint64)
            return frames, written | log.scan().pages, content.reshape(-1, 512)

    frames, written, content = asyncio.run(look())
    decoder = StreamDecoder()
    decoder.feed((tmp_path / "saved").read_bytes())
    decoder.finish()
    sent = lay_out(decoder.blocks).in_guest(np.array(decoder.sent, dtype=np.int64) >> 1)
    pages, times = np.unique(sent[sent < GUEST.pages], return_counts=True)
    again = pages[times > 1]
    unseen = again[~written[again]]
    assert [page for page in unseen if not looks_like_a_page_table(content[page])] == []
    assert set(frames[::3]) <= set(again.tolist())


@needs_qemu
def test_a_guest_is_recorded(dirtyscan: Run, tmp_path: Path) -> None:
    for _ in range(3):
        done = dirtyscan(*RECORD, "cond2", "--seconds", "6")
        if "record again when it is not" not in done.stderr:
            break
    if "record again when it is not" in done.stderr or "boot Linux 6.7" in done.stderr:
        pytest.skip(f"recording: {done.stderr}")
    assert done.returncode == 0, done.stderr
    trace = open_trace(tmp_path / "traces/cond2.trace")
    trace.verify()
    assert trace.source.origin == "recorded"
    assert trace.source.condition == "cond2"
    for name in ("qemu", "kernel", "host_kernel", "method", "scan_median", "late_ticks"):
        assert name in trace.source.parameters
    # What was sent is dirtied again at every other page, in each pass of a second.
    alone = []
    for bitmap in trace.bitmaps():
        dirty = np.unpackbits(bitmap, bitorder="little").astype(bool)
        alone.append(int((dirty[1:-1] & ~dirty[:-2] & ~dirty[2:]).sum()))
    assert max(alone) > 5000


@needs_qemu
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_recording_that_is_ended(how: int, tmp_path: Path) -> None:
    scratch = tmp_path / "s"
    scratch.mkdir()
    with contextlib.ExitStack() as stack:
        short = stack.enter_context(private_folder())
        run = subprocess.Popen(
            [sys.executable, "-m", "harness", *RECORD, "cond1"],
            cwd=tmp_path, env={**os.environ, "TMPDIR": str(short)}, text=True,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_until(lambda: list(short.glob("*/qmp")) or run.poll() is not None)
        time.sleep(1)
        assert len(qemus_in(short)) == 1
        run.send_signal(how)
        _, errors = run.communicate(timeout=LONGEST)
        wait_until(lambda: qemus_in(short) == [])
        assert "Traceback" not in errors
        if how == signal.SIGINT:
            assert run.returncode == 130
            assert list(short.iterdir()) == []
    assert not list(tmp_path.glob("traces/*.trace"))


def test_what_cannot_be_recorded_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "record", "cond9"]) == 2
    assert "'cond9' cannot be captured; give one of cond1" in capsys.readouterr().err
