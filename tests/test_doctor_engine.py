"""What ``doctor --engine`` makes of runs with a worker and without one."""

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("distributed", reason="needs distributed")

from distributed import Client

from harness.commands.doctor import _print_engine
from harness.doctor.engine import Agreement, Ratio, _speedups
from harness.presentation.console import console
from tests.clusters import BRIEF
from tests.conftest import Run, store, wait_until


def test_ratios_agree_only_as_far_as_the_runs_can_say() -> None:
    def agreement(*apart: float) -> Agreement:
        """Of runs that alone gave anything, and with the engine so much more."""
        alone = tuple(2.0 + number for number in range(len(apart)))
        return Ratio("x", 1, alone, tuple(np.multiply(alone, np.add(1, apart)))).agreement

    assert agreement(0.001, 0.002, 0.001, 0.002, 0.001, 0.002) is Agreement.AGREE
    assert agreement(0.01, 0.02, 0.01, 0.02, 0.01, 0.02) is Agreement.DIFFER
    assert agreement(-0.01, -0.02, -0.01, -0.02, -0.01, -0.02) is Agreement.DIFFER
    # On the average they are alike, and any of them is further away than what is let pass.
    assert agreement(0.02, -0.02, 0.02, -0.02, 0.02, -0.02) is Agreement.UNDECIDED
    assert agreement(0.004, 0.006, 0.004, 0.006, 0.004, 0.006) is Agreement.UNDECIDED
    assert agreement(0.0) is Agreement.UNDECIDED


def test_a_run_with_several_workers_is_one_run() -> None:
    """What the workers of a run have in common is seen once, however many they are."""
    one = Ratio("x", 1, (2.0, 2.0, 4.0), (2.02, 1.99, 4.04)).apart
    three = Ratio("x", 3, (2.0, 2.0, 4.0), (2.02,) * 3 + (1.99,) * 3 + (4.04,) * 3).apart
    assert dataclasses.astuple(three) == pytest.approx(dataclasses.astuple(one))


def test_one_run_among_many_decides_nothing_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beside a neighbour it gave 7.6 among thirty of 6.5, and the mean went another way."""
    status = _print_engine(console(), [Ratio("x", 1, (2.0,) * 30, (*(2.0,) * 29, 7.6))])
    assert capsys.readouterr().out == (
        "x: 2.0000 without the engine and 2.0000 with it, +0.00% (+0.00% to +0.00%) over 30 runs "
        "of each: they agree within 0.5%\n"
    )
    assert status == 0


@pytest.mark.parametrize(
    ("result", "taken"), [("amd-epyc-25-1", "quiet_speedup"), ("amd-epyc-26-2", "speedup")]
)
def test_beside_a_neighbour_the_other_rounds_are_compared(
    result: str, taken: str, tmp_path: Path
) -> None:
    """A neighbour that comes and goes is not taken for the engine."""
    rows = pd.read_csv(Path(__file__).parents[1] / "results" / result / "speedups.csv")
    rows = rows[(rows["condition"] == "cond1") & (rows["origin"] == "synthetic")]
    rows.to_csv(tmp_path / "speedups.csv", index=False)
    assert len(rows) == 2
    assert _speedups(tmp_path) == dict(zip(rows["variant"], rows[taken], strict=True))


HELD = """
import sys, time
from pathlib import Path
from harness.cluster.local import local_workers
with local_workers(Path(sys.argv[1])) as address:
    print(address, flush=True)
    time.sleep(600)
"""


def answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_what_is_started_here_is_ready_and_ends_with_us(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as doctor:
        assert doctor.stdout
        address = doctor.stdout.readline().strip()
        with Client(address, set_as_default=False) as client:
            assert len(client.nthreads()) == 1
            (process,) = client.run(os.getpid).values()
        doctor.kill()
    host, port = address.removeprefix("tcp://").split(":")
    wait_until(lambda: not answers(host, int(port)))
    wait_until(lambda: not Path(f"/proc/{process}").exists())


def test_the_doctor_compares_with_a_worker(
    tmp_path: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they agree is a matter of this machine; that both are measured is not."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("PYTHONPATH", BRIEF)
    trace = store(tmp_path / "small.trace", [np.arange(640) % 7 < n for n in range(1, 7)])
    bench = ("bench", "--trace", str(trace.path), "--precision", "90%", "--budget", "500")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # with a lock of its own
    monkeypatch.setattr("harness.doctor.engine._BENCH", bench)
    done = dirtyscan("doctor", "--engine", "1", "--runs", "kept")
    *lines, kept = done.stdout.splitlines()
    names = [line.partition(":")[0] for line in lines]
    ways = 2 if len(os.sched_getaffinity(0)) > 1 else 1
    assert names == ["multi_page", "page_by_page again"] * ways, done.stderr
    assert all("over 1 run of each" in line for line in lines)
    assert all("with 2 of its workers at once" in line for line in lines[2:])
    assert kept == "runs: kept/runs.csv"
    rows = pd.read_csv(tmp_path / kept.removeprefix("runs: "))
    counts = rows.groupby(["method", "workers"])["speedup"].count().to_dict()
    ways_of_one = {("without the engine", 1): 2, ("with the engine", 1): 2}
    ways_of_two = {("without the engine", 2): 2, ("with the engine", 2): 4}
    assert counts == ways_of_one | (ways_of_two if ways == 2 else {})
    assert all("undecided whether they agree within 0.5%" in line for line in lines)  # of one run
    assert done.returncode == 3
    assert not list((tmp_path / "tmp").glob("dirtyscan-*/"))
