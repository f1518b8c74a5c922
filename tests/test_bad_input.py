"""Bad input gets one sentence and exit status 2, never a traceback."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.test_gate import SOURCE

BAD = [
    (["bench", "--fast"], "there is no option --fast; see 'dirtyscan bench --help'"),
    (["bench", "--guest-memory"], "argument --guest-memory: expected one argument"),
    ([], "the following arguments are required: COMMAND"),
    (["bench", "--condition", "cond5"], "condition 'cond5' is not known; choose from cond1"),
    (["bench", "--variant", "fast"], "variant 'fast' of operation count is not known"),
    (["bench", "--toolchain", "tcc-era"], "toolchain 'tcc-era' is not known; choose from cc-era"),
    (["bench", "--guest-memory", "0"], "guest memory of 0 bytes cannot be used"),
    (["bench", "--guest-memory=-4MiB"], "'-4MiB' is not a size"),
    (["bench", "--guest-memory", "1000001"], "give a positive multiple of the page size (4KiB)"),
    (["bench", "--guest-memory", "4096"], "give between 64 and 4294967295 pages"),
    (["bench", "--guest-memory", "900TiB"], "guest memory of 900TiB is"),
    (["bench", "--page-size", "1000"], "a page size of 1000 bytes cannot be used"),
    (["bench", "--trace", "none.trace"], "trace none.trace cannot be opened"),
    (["bench", "--set", "priod=3"], "parameter 'priod' is not known; choose from"),
    (["bench", "--set", "period"], "--set 'period' cannot be read"),
    (["bench", "--set", "period=0"], "parameter period='0' cannot be used"),
    (["bench", "--set", "period=1.5"], "parameter period='1.5' cannot be used"),
    (["bench", "--set", "bandwidth=fast"], "'fast' is not a size"),
    (["bench", "--set", "region=nan"], "parameter region='nan' cannot be used"),
    (["bench", "--config", "none.toml"], "config none.toml cannot be read"),
    (["bench", "--resume"], "there is no unfinished run in results/latest to go on with"),
    (["bench", "--seed", "-1"], "--seed -1 cannot be used"),
    (["bench", "--output", "file/results"], "results cannot be written to file/results"),
    (["report", "nowhere"], "there are no results in nowhere"),
    (["trace", "info", "file"], "trace file is damaged: it is truncated, or not a trace at all"),
    (["trace", "synthesize", "cond1", "--output", "file"], "cannot be written"),
    (["trace", "parameters", "cond7"], "condition 'cond7' is not known"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_one_sentence(arguments: list[str], sentence: str, dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = dirtyscan(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("dirtyscan: ")
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("value", ["0", "-1", "0%", "many", "nan"])
@pytest.mark.parametrize("option", ["--precision", "--budget"])
def test_precision_and_budget_are_above_zero(option: str, value: str, dirtyscan: Run) -> None:
    done = dirtyscan("bench", f"{option}={value}")
    assert done.returncode == 2
    assert f"argument {option}: '{value}' is not a" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_budget_shorter_than_a_round(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.c").write_text(SOURCE % "dirty += page == 0;")
    short = ("--variant", "multi_page", "--variant", "wrong.c", "--quick", "--budget", "0.001")
    done = dirtyscan("bench", "--condition", "cond1", *short)
    assert done.returncode == 2
    assert "failed: variant wrong (cc-era) counts " in done.stderr  # which was seen by then
    assert "a budget of 0.001 s is shorter than one round of all variants" in done.stderr


def test_toml_that_is_none(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("period = \n")
    done = dirtyscan("bench", "--config", "bad.toml")
    assert done.returncode == 2
    assert "bad.toml is not valid TOML" in done.stderr
    assert "line 1" in done.stderr
    (tmp_path / "bad.toml").write_text("[cond8]\nperiod = 5\n")
    done = dirtyscan("bench", "--config", "bad.toml")
    assert "a table [cond8], which is no condition" in done.stderr


def test_a_machine_without_a_compiler(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither cc nor ziglang: one sentence names both remedies."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "ziglang" else find(name, *a)
    )
    done = dirtyscan("bench", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "apt-get install gcc" in done.stderr
    assert "pip install ziglang" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_compiler_that_fails(dirtyscan: Run, tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "cc 1.0"; exit 0; }\n'
        'echo "x.c:3:1: error: no such luck" >&2; exit 1\n'
    )
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    done = dirtyscan("bench", env=environment)
    assert done.returncode == 2
    assert "does not compile with cc-era: x.c:3:1: error: no such luck" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_settings_from_a_config_and_the_command_line(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(
        'max_ticks = 7\nbandwidth = "64MiB/s"\n[cond1]\nperiod = 300\nhot = 3\n'
    )
    made = dirtyscan("trace", "synthesize", "cond1", "cond2", "--config", "good.toml",
                     "--set", "period=400", "--guest-memory", "64MiB")  # fmt: skip
    assert made.returncode == 0, made.stderr
    first = dirtyscan("trace", "info", "traces/cond1.trace").stdout
    second = dirtyscan("trace", "info", "traces/cond2.trace").stdout
    for text, hot in ((first, "3"), (second, "24")):
        facts = dict(line.split(maxsplit=1) for line in text.splitlines())
        assert facts["max_ticks"] == "7 ticks"
        assert facts["bandwidth"] == f"{64 * 2**20} B/s"
        assert facts["period"] == "400 ms"
        assert facts["hot"] == f"{hot} pages"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "harness", "trace", "parameters", "cond3"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
