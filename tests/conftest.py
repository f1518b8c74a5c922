"""What several tests use."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.native.build import build_stopwatch
from harness.native.toolchain import default_toolchain
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def stopwatch_path() -> Path:
    return build_stopwatch(default_toolchain()).path


@pytest.fixture
def dirtyscan(tmp_path: Path) -> Run:
    """The command, run in an empty folder."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, **options
        )

    return run


def store(
    path: Path, snapshots: list[NDArray[np.bool_]], page_size: int = 4096, name: str = "test"
) -> Trace:
    """Write ``snapshots`` as a trace, 100 ms apart."""
    memory = GuestMemory(len(snapshots[0]) * page_size, page_size)
    source = Source(name, "imported", memory)
    return write_trace(
        path, source, (Snapshot((i + 1) * 100, dirty) for i, dirty in enumerate(snapshots))
    )
