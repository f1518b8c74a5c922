"""What several tests use."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.cli import main
from harness.measurement import preparation, run
from harness.measurement.request import Request
from harness.native.build import build_stopwatch
from harness.native.toolchain import default_toolchain
from tests import fuzz as fuzz  # sets how all property tests are run
from tests import needs
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

Run = Callable[..., subprocess.CompletedProcess[str]]
# A shell starts what it puts into the background with interrupts ignored, and so would be what the
# tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
LONGEST = 600  # seconds; a guard against hanging, far beyond what anything takes on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what takes long to the night, with its reason."""
    later = pytest.mark.skip(reason="takes long, and is run at night (make night)")
    for item in items:
        if fuzz.PROFILE != "nightly" and item.get_closest_marker("night"):
            item.add_marker(later)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which promises were not tested, which a number of skipped tests does not."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"not tested here, {len(skipped)}")
    # A report of a skip has its file, its line and "Skipped: " with its reason.
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    for promise, count in needs.count_promises(reasons):
        terminalreporter.write_line(f"{count:6}  {promise}")


@pytest.fixture(autouse=True)
def nobody_shares_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates decide, whatever else the machine does while tests run.

    What is said beside a neighbour has tests of its own.
    """
    monkeypatch.setattr(run.Run, "slowed", 0.0)


@pytest.fixture(autouse=True)
def passes_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measuring process that is asked for in this process takes most of its time to start.

    How many snapshots are called in a round decides how far a figure is to be trusted, and nothing
    else.
    """
    make_passes(monkeypatch, 4 * GuestMemory().pages)


def make_passes(patch: pytest.MonkeyPatch, pages: int) -> None:
    """Make rounds of both kinds call about as many snapshots as have ``pages`` together."""
    for name in ("QUICK_PASS_PAGES", "FULL_PASS_PAGES"):
        patch.setattr(preparation, name, pages)


@pytest.fixture(scope="session")
def stopwatch_path() -> Path:
    return build_stopwatch(default_toolchain()).path


@pytest.fixture
def dirtyscan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command, asked in this process, as starting one takes a second, and in an empty folder.

    That it can be started, interrupted and read from is tested where that is what matters.
    """

    def run(
        *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            if env is not None:
                for name in os.environ.keys() - env.keys():
                    patch.delenv(name)
                for name, value in env.items():
                    patch.setenv(name, value)
                patch.setattr(tempfile, "tempdir", None)  # found anew, by the environment
            status = ask(arguments)
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run that is asked for in this process measures in two, whatever comes out.

    How many there are decides how far a figure is to be trusted, and nothing else.
    """
    start = Request.__init__

    def start_brief(request: Request, *arguments: Any, **fields: Any) -> None:
        start(request, *arguments, **fields)
        object.__setattr__(request, "processes", 2)
        object.__setattr__(request, "precision", 1e9)

    monkeypatch.setattr(Request, "__init__", start_brief)


@pytest.fixture
def short_runs(two_processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run that is asked for in this process is as short as there can be.

    It has two processes, each of one round on as few snapshots as are ever taken.
    """
    start = Request.__init__

    def start_short(request: Request, *arguments: Any, **fields: Any) -> None:
        start(request, *arguments, **{"rounds": 1, **fields})

    monkeypatch.setattr(Request, "__init__", start_short)
    make_passes(monkeypatch, 1)


def ask(arguments: Sequence[str]) -> int:
    """Ask the command in this process and return its exit status."""
    try:
        return main(arguments)
    except SystemExit as left:
        return int(str(left.code or 0))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that ``make`` has filled, once for all processes that share the tests.

    Who uses it leaves it as it is.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()``; what never comes true fails the test rather than to hang it."""
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def sentences(said: str) -> list[str]:
    """Return what was said, without how far work was, and what a compiler said, which is indented.

    A slow machine says how far it is where another is done by then.
    """
    progress = re.compile(r"[^:]+: \d+ of \d+ (s|steps)")
    return [
        line
        for line in said.splitlines()
        if not line.startswith("    ") and not progress.fullmatch(line)
    ]


def store(
    path: Path, snapshots: list[NDArray[np.bool_]], page_size: int = 4096, name: str = "test"
) -> Trace:
    """Write ``snapshots`` as a trace, 100 ms apart."""
    memory = GuestMemory(len(snapshots[0]) * page_size, page_size)
    source = Source(name, "imported", memory)
    return write_trace(
        path, source, (Snapshot((i + 1) * 100, dirty) for i, dirty in enumerate(snapshots))
    )
