"""Commands that other tests do not run, and what the documentation says of them."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.cli import main
from harness.doctor import gates
from harness.doctor.tools import inspect_tools
from harness.machine.cpu import cpu_slug
from harness.results.environment import read_environment
from tests.conftest import Run, store

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"


def test_doctor_says_what_it_sees(dirtyscan: Run) -> None:
    done = dirtyscan("doctor")
    assert done.returncode == 0
    state = [
        "load",
        "governor",
        "turbo",
        "SMT",
        "steal",
        "throttling",
        "affinity",
        "isolated",
        "clock",
        "address",
        "neighbours",
    ]
    tools = [
        "cc:", "gcc:", "clang:", "git:", "valgrind:", "perf:", "qemu-system-x86_64:", "zig:",
        "rustc:", "kernel:", "KVM:",
    ]  # fmt: skip
    for name in state + tools:
        assert name in done.stdout
    assert "\x1b" not in done.stdout


def test_doctor_says_how_to_get_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))  # where rustup would have put its compiler
    monkeypatch.setattr("workloads.capture.kernel.BOOT", tmp_path)
    missing = {tool.name: tool.remedy for tool in inspect_tools() if not tool.found}
    assert missing["git"] == "sudo apt-get install git"
    assert missing["rustc"] == "install 1.77 or newer from https://rustup.rs"
    assert missing["kernel"] == "sudo apt-get install linux-image-cloud-amd64"
    (tmp_path / "vmlinuz-6.1").mkdir()  # that nobody can read, root included
    missing = {tool.name: tool.remedy for tool in inspect_tools() if not tool.found}
    assert missing["kernel"] == f"sudo chmod +r {tmp_path}/vmlinuz-*"
    (tmp_path / "rustc").write_text("#!/bin/sh\necho 'rustc 1.76.0 (of before)'\n")
    (tmp_path / "rustc").chmod(0o755)
    (tmp_path / "vmlinuz-6.2").touch()
    tools = {tool.name: tool.found for tool in inspect_tools()}
    assert tools["kernel"] == str(tmp_path / "vmlinuz-6.2")
    assert tools["rustc"] == ""  # too old for any variant


@pytest.mark.usefixtures("short_runs")
def test_doctor_calibrates_and_keeps_what_it_says(dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("doctor", "--calibrate", "1", "--runs", "kept/{cpu}")
    assert done.returncode == 0, done.stderr
    found = re.search(r"from (\S+) to (\S+) over", done.stdout)
    assert found
    assert 0 < float(found.group(1)) <= float(found.group(2))  # what it is depends on the machine
    folder = tmp_path / "kept" / cpu_slug()
    (row,) = pd.read_csv(folder / "runs.csv").to_dict("records")
    assert row["speedup"] == pytest.approx(float(found.group(1)), abs=1e-4)  # each is rounded
    assert row["speedup_low"] <= row["speedup"] <= row["speedup_high"]
    assert read_environment(folder)["toolchains"]


def test_doctor_keeps_what_its_gates_said_and_where(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "_ask", lambda one, _: gates.Gate(one, "unchanged", 1, 1, 0.1))
    done = dirtyscan("doctor", "--gate", "2", "--runs", "kept")
    assert done.returncode == 0, done.stderr
    assert "reference, unchanged: 1 unchanged (1 gate of 0.1 s)" in done.stdout
    assert len(pd.read_csv(tmp_path / "kept/calibration.csv")) == 2 * (len(gates.KINDS) + 1) + 1
    assert read_environment(tmp_path / "kept")["machine"]["during"]["seconds"] > 0
    dirtyscan("doctor", "--gate", "1")
    assert (tmp_path / "results/calibration.csv").exists()


def test_what_cannot_be_compiled_here_has_no_year(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the compiled code says it: 0 stood there."""
    monkeypatch.setattr("harness.native.toolchain.path_of_rust", lambda _: None)
    assert main(["variants", "drain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    years = {line.split()[0]: line[21:25].strip() for line in lines if line.startswith(("f", "r"))}
    assert years == {"fetch_and_all": "", "read_limit": "2026"}


def test_variants_lists_what_there_is(dirtyscan: Run) -> None:
    done = dirtyscan("variants")
    assert done.returncode == 0
    assert {"page_by_page", "multi_page"} <= set(done.stdout.split())


def test_compare_puts_traces_beside_each_other(
    dirtyscan: Run, tmp_path: Path, short_runs: None
) -> None:
    made = dirtyscan(
        "trace",
        "synthesize",
        "cond1",
        "cond2-full",
        "--set",
        "max_ticks=20",
        "--guest-memory",
        "64MiB",
    )
    assert made.returncode == 0, made.stderr
    done = dirtyscan("trace", "compare", "traces/cond2-full.trace", "traces/cond1.trace")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if "synthetic" in line]
    assert [row[0] for row in rows] == ["cond2-full", "cond1"]
    assert all(float(row[-2]) > 0 for row in rows)
    assert (tmp_path / "plots/comparison.png").exists()


def test_the_memory_of_a_trace_is_drawn(dirtyscan: Run, tmp_path: Path) -> None:
    dirtyscan("trace", "synthesize", "cond4", "--guest-memory", "16MiB")
    done = dirtyscan("trace", "plot", "traces/cond4.trace")
    assert done.stdout.split() == ["plots/trace-cond4.png", "plots/trace-cond4.svg"]
    assert (tmp_path / "plots/trace-cond4.png").stat().st_size > 5000


def test_the_figures_in_the_readme_are_those_of_the_reference() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| Cond")]
    assert len(lines) == 8
    for place, line in enumerate(lines):
        result = "amd-epyc-26-2" if place < 4 else "amd-epyc-26-2-again"
        rows = pd.read_csv(ROOT / "results" / result / "speedups.csv")
        rows = rows[~rows["noise_floor"]]
        by_trace = {(row["condition"], row["origin"]): row for row in rows.to_dict("records")}
        name, _, recorded, calls, shares, *others = (
            cell.strip() for cell in line.strip("|").split("|")
        )
        condition = name.split(",")[0].lower()
        row = by_trace[condition, "recorded"]
        value, _, reach = recorded.removesuffix(" %").partition(" ±")
        assert float(value) == pytest.approx(row["speedup"], abs=0.005)
        width = (row["speedup_high"] / row["speedup_low"]) ** 0.5 - 1
        assert float(reach) == pytest.approx(100 * width, rel=0.05)
        ends = [float(end) for end in calls.split(" to ")]
        assert ends == pytest.approx([row["calls_low"], row["calls_high"]], rel=0.05)  # two digits
        inside, _, verdict = shares.partition(": ")
        assert verdict == row["verdict"]
        assert float(inside.split(" %")[0]) == pytest.approx(100 * row["calls_within"], abs=0.5)
        assert len(others) == (2 if place < 4 else 0)
        for cell, origin in zip(others, ("synthetic", "captured"), strict=False):
            assert float(cell) == pytest.approx(by_trace[condition, origin]["speedup"], abs=0.005)


def test_committed_results_name_no_place_on_a_machine() -> None:
    paths = [*RESULTS.glob("*/pyperf.json*"), *RESULTS.glob("**/environment.json")]
    committed = [path for path in paths if path.parent.name != "latest"]
    assert len(committed) > 20
    for path in committed:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        assert not re.search(r'"hostname"|/(root|home|Users)/', text), path


def test_traces_that_come_with_dirtyscan_have_names(dirtyscan: Run, tmp_path: Path) -> None:
    """Nothing said where those of a wheel lie, which every command can read."""
    for origin, folder in (("recorded", "recorded"), ("captured", "captured")):
        told = dirtyscan("trace", "info", f"cond2-{origin}")
        path = ROOT / "workloads" / folder / "cond2.trace"
        assert told.returncode == 0, told.stderr
        assert told.stdout == dirtyscan("trace", "info", str(path)).stdout
    done = dirtyscan("trace", "info", "cond2-recored")
    assert done.returncode == 2
    assert "cond4-captured (did you mean cond2-recorded?)." in done.stderr
    # A file of that name goes first.
    store(tmp_path / "cond2-recorded", [np.ones(64, dtype=bool)], name="mine")
    assert "name          mine\n" in dirtyscan("trace", "info", "cond2-recorded").stdout
