"""The whole command on a small guest."""

import json
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyperf
import pytest

from harness.measurement.plan import MIN_PROCESSES, ROUNDS
from tests.conftest import LONGEST, Run, once, wait_until

SMALL = ["--guest-memory", "4MiB", "--set", "max_ticks=12", "--precision", "50%"]
REQUIRED = [
    "condition", "origin", "variant", "toolchain", "guest_memory_bytes", "snapshots",
    "original_seconds", "variant_seconds", "speedup", "speedup_low", "speedup_high",
    "snapshot_speedup_min", "snapshot_speedup_max", "claim_low", "claim_high", "verdict",
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "bench", run_bench)


def run_bench(folder: Path) -> None:
    command = [sys.executable, "-m", "harness", "bench", *SMALL, "--plots", "plots"]
    subprocess.run(command, cwd=folder, check=True, timeout=LONGEST)


def test_every_condition_has_its_rows(results: Path) -> None:
    rows = pd.read_csv(results / "results/latest/speedups.csv")
    assert list(rows.columns[: len(REQUIRED)]) == REQUIRED
    measured = rows[~rows["noise_floor"]]
    assert measured["condition"].tolist() == ["cond1", "cond2", "cond3", "cond4"]
    assert set(measured["variant"]) == {"multi_page"}
    assert (rows["speedup_low"] <= rows["speedup"]).all()
    assert (rows["speedup"] <= rows["speedup_high"]).all()
    assert (measured["snapshot_speedup_min"] <= measured["snapshot_speedup_max"]).all()
    assert measured["claim_low"].tolist() == [8, 0.25, 8, 2]
    assert (
        measured["verdict"]
        .isin(["reproduced", "in part", "stronger", "weaker", "contradicted", "undecided"])
        .all()
    )
    ratio = rows["original_seconds"] / rows["variant_seconds"]
    assert ratio.to_numpy() == pytest.approx(rows["speedup"].to_numpy())
    assert (rows["guest_memory_bytes"] == 4 * 2**20).all()


def test_shares_of_calls_can_be_counted_in_the_table_of_snapshots(results: Path) -> None:
    rows = pd.read_csv(results / "results/latest/speedups.csv")
    calls = pd.read_csv(results / "results/latest/snapshots.csv")
    assert (calls.loc[calls["variant"] == "page_by_page", "speedup"] == 1).all()
    for row in rows.to_dict("records"):
        own = calls[(calls["condition"] == row["condition"]) & (calls["variant"] == row["variant"])]
        speedups = sorted(own["speedup"])
        assert len(speedups) == row["snapshots"]
        assert speedups[0] == pytest.approx(row["snapshot_speedup_min"])
        assert row["calls_low"] == pytest.approx(np.quantile(speedups, 0.05))
        assert row["calls_high"] == pytest.approx(np.quantile(speedups, 0.95))
        if row["noise_floor"]:
            assert np.isnan(row["calls_within"])
            continue
        inside = [row["claim_low"] <= speedup <= row["claim_high"] for speedup in speedups]
        below = [speedup < row["claim_low"] for speedup in speedups]
        assert row["calls_within"] == pytest.approx(np.mean(inside), abs=1e-8)
        assert row["calls_below"] == pytest.approx(np.mean(below), abs=1e-8)
        total = row["calls_below"] + row["calls_within"] + row["calls_above"]
        assert total == pytest.approx(1)


def test_every_snapshot_has_its_rows(results: Path) -> None:
    rows = pd.read_csv(results / "results/latest/snapshots.csv")
    for (condition, _), group in rows.groupby(["condition", "variant"]):
        assert group["snapshot"].is_monotonic_increasing, condition
        assert (group["remaining_pages"] <= 1024).all()
        assert (group["dirty_runs"] <= group["remaining_pages"]).all()
        assert (group["seconds"] > 0).all()


def test_pyperf_reads_its_file(results: Path) -> None:
    path = results / "results/latest/pyperf.json"
    suite = pyperf.BenchmarkSuite.load(str(path))
    names = suite.get_benchmark_names()
    assert len(names) == 4 * 3
    benchmark = suite.get_benchmark("cond1-synthetic/multi_page/cc-era")
    assert len(benchmark.get_runs()) == MIN_PROCESSES + 1  # one of them calibrates
    assert benchmark.get_nvalue() == MIN_PROCESSES * ROUNDS
    for command in (["show"], ["hist"], ["compare_to", str(path)]):
        done = subprocess.run(
            [sys.executable, "-m", "pyperf", command[0], str(path), *command[1:]],
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr


def test_the_pyperf_values_are_the_seconds_of_the_rows(results: Path) -> None:
    """Two ways from the same samples: they agree within what outliers do to a mean."""
    suite = pyperf.BenchmarkSuite.load(str(results / "results/latest/pyperf.json"))
    rows = pd.read_csv(results / "results/latest/speedups.csv").set_index(["condition", "variant"])
    benchmark = suite.get_benchmark("cond2-synthetic/page_by_page/cc-era")
    seconds = rows.loc[("cond2", "multi_page"), "original_seconds"]
    assert benchmark.median() == pytest.approx(seconds, rel=0.3)


def test_the_environment_is_recorded(results: Path) -> None:
    environment = json.loads((results / "results/latest/environment.json").read_text())
    assert environment["cpu"]["model"]
    assert environment["toolchains"][0]["flags"][-2:] == ["-O2", "-fno-tree-vectorize"]
    assert environment["packages"]["numpy"]
    assert set(environment["machine"]["during"]) == {
        "seconds",
        "others",
        "steal",
        "throttled",
        "slowed",
    }


def test_nothing_names_the_machine_or_its_folders(results: Path) -> None:
    for name in ("environment.json", "pyperf.json", "speedups.csv", "snapshots.csv"):
        text = (results / "results/latest" / name).read_text()
        assert platform.node() not in text or len(platform.node()) < 4
        assert str(results) not in text
        assert sys.executable not in text


def test_the_pictures_are_there(results: Path) -> None:
    names = {path.name for path in (results / "plots").iterdir()}
    stems = {"speedups", "remaining", "runtime", "traces"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
    assert all(path.stat().st_size > 5000 for path in (results / "plots").iterdir())


def test_nothing_else_is_left(results: Path) -> None:
    left = {path.name for path in (results / "results/latest").iterdir()}
    tables = {"speedups.csv", "snapshots.csv", "processes.csv"}
    assert left == tables | {"environment.json", "pyperf.json", "report.html",
                             "traces", "samples", ".lock"}  # fmt: skip


def test_report_draws_what_is_there(results: Path, dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("report", str(results / "results/latest"), "--plots", "again")
    assert done.returncode == 0, done.stderr
    assert "multi_page" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert len(list((tmp_path / "again").iterdir())) == 8


@pytest.mark.usefixtures("short_runs")
def test_a_trace_of_ones_own(dirtyscan: Run, tmp_path: Path) -> None:
    made = dirtyscan("trace", "synthesize", "cond2", "--guest-memory", "1MiB", "--output", "t")
    assert made.returncode == 0, made.stderr
    bench = dirtyscan("bench", "--trace", "t/cond2.trace", "--precision", "50%")
    assert bench.returncode == 0, bench.stderr
    rows = pd.read_csv(tmp_path / "results/latest/speedups.csv")
    assert rows["condition"].tolist() == ["cond2", "cond2"]
    assert (rows["guest_memory_bytes"] == 2**20).all()


LONG = ("bench", "--condition", "cond1", "--guest-memory", "4MiB", "--set", "max_ticks=12",
        "--precision", "0.0001%", "--budget", "300")  # fmt: skip


def start(folder: Path) -> subprocess.Popen[str]:
    """Begin a long run in ``folder`` and wait until it has measured in several processes."""
    command = [sys.executable, "-m", "harness", *LONG]
    run = subprocess.Popen(command, cwd=folder, text=True, stderr=subprocess.PIPE)
    samples = folder / "results/latest/unfinished/samples"
    wait_until(lambda: len(list(samples.glob("process-*.zip"))) >= 4 or run.poll() is not None)
    assert run.poll() is None
    return run


def make_unfinished(folder: Path) -> None:
    run = start(folder)
    run.kill()
    run.communicate()


@pytest.fixture
def unfinished(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed, for this test to go on with."""
    made = once(tmp_path_factory, "unfinished", make_unfinished)
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


class TestInterruption:
    """Runs that are cut short lose nothing that was measured."""

    def samples(self, folder: Path) -> dict[str, bytes]:
        samples = folder / "results/latest/unfinished/samples"
        return {path.name: path.read_bytes() for path in samples.glob("process-*.zip")}

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_a_run_that_was_ended_goes_on(self, how: int, dirtyscan: Run, tmp_path: Path) -> None:
        run = start(tmp_path)
        second = dirtyscan(*LONG)
        assert second.returncode == 2
        assert "another run is measuring into results/latest" in second.stderr
        run.send_signal(how)
        _, errors = run.communicate(timeout=LONGEST)
        if how == signal.SIGINT:
            assert run.returncode == 130
            assert "go on with --resume" in errors
            assert "Traceback" not in errors
        kept = self.samples(tmp_path)
        assert len(kept) >= 4

        other = dirtyscan(*LONG, "--seed", "3", "--resume")
        assert other.returncode == 2
        assert "differs from this one in its" in other.stderr
        assert self.samples(tmp_path) == kept

        done = dirtyscan(*LONG, "--budget", "1", "--resume")
        assert done.returncode == 0, done.stderr
        rows = pd.read_csv(tmp_path / "results/latest/speedups.csv")
        assert rows["processes"].min() >= len(kept) - 1
        assert rows["stopped"].tolist() == ["budget", "budget"]
        assert not (tmp_path / "results/latest/unfinished").exists()
        for name, content in kept.items():
            assert (tmp_path / "results/latest/samples" / name).read_bytes() == content

    @pytest.mark.parametrize("field", ["version", "host", "rounds"])
    def test_a_run_of_another_time_or_place_is_not_gone_on_with(
        self, field: str, dirtyscan: Run, unfinished: Path
    ) -> None:
        kept = self.samples(unfinished)
        path = unfinished / "results/latest/unfinished/plan.json"
        plan = json.loads(path.read_text())
        path.write_text(json.dumps({**plan, field: ROUNDS + 1 if field == "rounds" else "another"}))
        done = dirtyscan(*LONG, "--resume")
        assert done.returncode == 2
        assert f"differs from this one in its {field}" in done.stderr
        path.write_text("{")
        done = dirtyscan(*LONG, "--resume")
        assert done.returncode == 2
        assert "plan.json, cannot be read" in done.stderr
        assert self.samples(unfinished) == kept

    def test_a_damaged_sample_is_refused_and_kept(self, dirtyscan: Run, unfinished: Path) -> None:
        path = unfinished / "results/latest/unfinished/samples/process-0001.zip"
        path.write_bytes(path.read_bytes()[:200])
        before = self.samples(unfinished)
        done = dirtyscan(*LONG, "--resume")
        assert done.returncode == 2
        assert "process-0001.zip are damaged" in done.stderr
        assert self.samples(unfinished) == before
        # The remedy that the sentence names.
        path.unlink()
        done = dirtyscan(*LONG, "--budget", "1", "--resume")
        assert done.returncode == 0, done.stderr

    @pytest.mark.usefixtures("short_runs")
    def test_a_new_run_keeps_the_unfinished_one(self, dirtyscan: Run, unfinished: Path) -> None:
        kept = self.samples(unfinished)
        done = dirtyscan("bench", "--condition", "cond1", *SMALL)
        assert done.returncode == 0
        assert "an unfinished run was kept as" in done.stderr
        aside = list((unfinished / "results/latest").glob("unfinished-*/samples/*.zip"))
        assert {path.name: path.read_bytes() for path in aside} == kept
