"""What several tests use."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which promises were not tested, which a number of skipped tests does not."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"not tested here, {len(skipped)}")
    # A report of a skip has its file, its line and "Skipped: " with its reason.
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    for promise, count in needs.count_promises(reasons):
        terminalreporter.write_line(f"{count:6}  {promise}")


@pytest.fixture(scope="session")
def stopwatch_path() -> Path:
    return build_stopwatch(default_toolchain()).path


@pytest.fixture
def dirtyscan(tmp_path: Path) -> Run:
    """The command, run in an empty folder."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=LONGEST, **options
        )

    return run


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()``; what never comes true fails the test rather than to hang it."""
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def sentences(said: str) -> list[str]:
    """Return what was said, without the lines of a compiler, which are indented behind it."""
    return [line for line in said.splitlines() if not line.startswith("    ")]


def store(
    path: Path, snapshots: list[NDArray[np.bool_]], page_size: int = 4096, name: str = "test"
) -> Trace:
    """Write ``snapshots`` as a trace, 100 ms apart."""
    memory = GuestMemory(len(snapshots[0]) * page_size, page_size)
    source = Source(name, "imported", memory)
    return write_trace(
        path, source, (Snapshot((i + 1) * 100, dirty) for i, dirty in enumerate(snapshots))
    )
