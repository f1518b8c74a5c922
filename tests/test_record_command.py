"""Recordings of any program that maps a guest's memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import LONGEST, Run, wait_until
from tests.qemus import each_qemu
from workloads.trace import open_trace

ROOT = Path(__file__).parent.parent
PAGES = 4096
# Maps shared memory after a while, as a hypervisor does, and goes on writing pages 1000 to 1099.
GUEST = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int fd = memfd_create("ram", 0), page, left = argc > 1 ? atoi(argv[1]) : -1;
    char *m;
    usleep(200000);
    if (ftruncate(fd, SIZE)) return 1;
    m = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (; left; left--) {
        for (page = 1000; page < 1100; page++) {
            memset(m + page * 4096l, left, 100);
        }
        usleep(20000);
    }
    fputs("out of memory\\n", stderr);
    return 3;
}
""".replace("SIZE", str(PAGES * 4096))
MEMORY = ("--guest-memory", f"{PAGES * 4 // 1024}MiB")


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guest")
    (folder / "guest.c").write_text(GUEST)
    subprocess.run(["cc", "-O1", "-o", "guest", "guest.c"], cwd=folder, check=True)
    return folder / "guest"


def needs_watching(errors: str) -> None:
    if "userfaultfd" in errors or "page maps" in errors:
        pytest.skip(f"needs Linux 6.7: {errors}")


def test_a_program_is_recorded_while_it_runs(guest: Path, dirtyscan: Run, tmp_path: Path) -> None:
    command = ("trace", "record", "--command", f"'{guest}'", *MEMORY)
    done = dirtyscan(*command, "--seconds", "2", "--after", "1", "--bandwidth", "2MiB")
    needs_watching(done.stderr)
    assert done.returncode == 0, done.stderr
    trace = open_trace(tmp_path / "traces/guest.trace")
    assert trace.source.origin == "recorded"
    assert trace.source.condition is None
    assert trace.source.memory.pages == PAGES
    assert trace.source.parameters["command"]["value"] == "guest"
    maps = [np.unpackbits(b, count=PAGES, bitorder="little") for b in trace.bitmaps()]
    # All that was ever written is those pages; the rest is holes, each sent in nine bytes.
    assert all(one[1000:1100].sum() > 0 for one in maps)
    assert maps[-1].sum() == maps[-1][1000:1100].sum()
    gone = [path for path in Path("/proc").glob("[0-9]*/cmdline") if runs(path, guest)]
    assert gone == []


def runs(path: Path, program: Path) -> bool:
    try:
        return str(program).encode() in path.read_bytes()
    except OSError:
        return False


def test_one_that_ends_says_what_it_said(guest: Path, dirtyscan: Run) -> None:
    command = ("trace", "record", "--command", f"{guest} 20", *MEMORY, "--bandwidth", "1MiB")
    done = dirtyscan(*command)
    needs_watching(done.stderr)
    assert done.returncode == 2
    assert "ended (status 3) before it was recorded, and said 'out of memory'" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--command", "/nowhere/vmm"), "cannot be started (No such file or directory)"),
        (("--command", "'"), "cannot be read (No closing quotation)"),
        (("--command", " "), "--command is empty"),
        (("--command", "true", "cond1"), "a WORKLOAD, or a --command, and not both"),
        ((), "a WORKLOAD, or a --command, and not both"),
        (("--command", "false"), "false ended ("),
    ],
)
def test_what_cannot_be_started_is_refused(
    options: tuple[str, ...], said: str, dirtyscan: Run
) -> None:
    done = dirtyscan("trace", "record", *options, *MEMORY)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("how", [2, 9])
def test_nothing_goes_on_when_the_recording_is_ended(how: int, guest: Path, tmp_path: Path) -> None:
    own = tmp_path / f"own-{how}"
    own.symlink_to(guest)
    recorder = subprocess.Popen(
        [sys.executable, "-m", "harness", "trace", "record", "--command", str(own), *MEMORY,
         "--bandwidth", "1MiB"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def running() -> bool:
        return any(runs(path, own) and "harness" not in path.read_bytes().decode(errors="replace")
                   for path in Path("/proc").glob("[0-9]*/cmdline"))  # fmt: skip

    wait_until(lambda: running() or recorder.poll() is not None)
    time.sleep(0.5)
    recorder.send_signal(how)
    recorder.wait(LONGEST)
    wait_until(lambda: not running())
    assert not list(tmp_path.glob("traces/*"))


@each_qemu
def test_a_hypervisor_is_recorded_as_it_is_started(
    qemu: str, dirtyscan: Run, tmp_path: Path
) -> None:
    command = (
        f"{qemu} -nodefaults -display none -no-reboot -accel tcg -m 64 "
        "-object memory-backend-memfd,id=ram,size=64M,share=on -machine pc,memory-backend=ram"
    )
    options = ("--guest-memory", "64MiB", "--seconds", "2", "--after", "1", "--name", "bios")
    done = dirtyscan("trace", "record", "--command", command, *options)
    needs_watching(done.stderr)
    assert done.returncode == 0, done.stderr
    assert open_trace(tmp_path / "traces/bios.trace").source.memory.size == 64 * 2**20
