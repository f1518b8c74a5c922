"""The command line around the commands: start-up, output streams, and what nobody foresaw."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.base.text import printable
from harness.commands import report
from tests.conftest import Run
from tests.needs import needs

HEAVY = {"pandas", "scipy", "matplotlib", "pyperf", "jinja2"}
LIGHT_ONES = [["--version"], ["--help"], *([name, "--help"] for name in cli.COMMANDS)]
MISTAKES = [["bench", "--fast"], ["nonsense"], ["study", "density", "--fast"], ["gate", "--x"]]


@pytest.mark.parametrize("arguments", LIGHT_ONES + MISTAKES, ids=" ".join)
def test_what_measures_nothing_loads_nothing_heavy(arguments: list[str]) -> None:
    """Loading these takes over a second, for which nobody waits to be told of a typing mistake."""
    code = (
        "import sys\n"
        "from harness.cli import main\n"
        "try:\n main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print('loaded', sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_is_for_readers(command: str, dirtyscan: Run) -> None:
    """Of the texts of argparse some are formats and others are not."""
    done = dirtyscan(command, "--help")
    assert done.returncode == 0
    assert "%%" not in done.stdout
    assert "%(" not in done.stdout


MISTYPED = {
    "bench --quik": ("there is no option --quik (did you mean --quick?)", "dirtyscan bench"),
    "bench --QUICK=3 a.c": ("--QUICK (did you mean --quick?)", "dirtyscan bench"),
    "study density --presicion 1%": ("(did you mean --precision?)", "dirtyscan study density"),
    "trace capture x --zzz": ("there is no option --zzz;", "dirtyscan trace capture"),
    "doctor cpu": ("'cpu' is one name too many;", "dirtyscan doctor"),
    "benhc": ("(did you mean bench?)", "dirtyscan"),
    "trace captur": ("(did you mean capture?)", "dirtyscan trace"),
    "bench --condition Cond1": ("(did you mean cond1?).", ""),
    "bench --toolchain gcc-ear": ("(did you mean gcc-era?).", ""),
    "bench --variant avx521": ("(did you mean avx512?).", ""),
    "bench --condition cond1 --set priod=3": ("(did you mean period?).", ""),
}


@pytest.mark.parametrize("given", MISTYPED)
def test_what_is_mistyped_is_told_with_what_was_meant(given: str, dirtyscan: Run) -> None:
    """Unknown options were answered with the help of all commands, and without a name."""
    says, helps = MISTYPED[given]
    done = dirtyscan(*given.split())
    assert done.returncode == 2
    assert says in done.stderr
    assert f"see '{helps} --help'." in done.stderr or not helps
    assert len(done.stderr.splitlines()) == 1


def test_variants_of_an_operation_are_named_as_elsewhere(dirtyscan: Run) -> None:
    listed = [
        dirtyscan("variants", *given).stdout for given in (["merge"], ["--operation", "merge"])
    ]
    assert listed[0] == listed[1]
    assert "per_word" in listed[0]


COMPLETED = {("bench", "--qu"): "--quick", ("study", "de"): "density", ("ben",): "bench",
             ("trace", "capture", "--ac"): "--accelerator"}  # fmt: skip


@pytest.mark.parametrize("words", COMPLETED)
def test_bash_completes_commands_and_options(words: tuple[str, ...], dirtyscan: Run) -> None:
    made = dirtyscan("--completion", "bash").stdout
    asked = f"COMP_WORDS=(dirtyscan {' '.join(words)}) COMP_CWORD={len(words)}"
    script = f'{made}\n{asked}\n_shtab_dirtyscan\necho "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [COMPLETED[words]]


@needs("fish")
@pytest.mark.parametrize("words", COMPLETED)
def test_fish_completes_commands_and_options(words: tuple[str, ...], dirtyscan: Run) -> None:
    made = dirtyscan("--completion", "fish").stdout
    script = f"{made}\ncomplete -C 'dirtyscan {' '.join(words)}'"
    done = subprocess.run(["fish", "-N", "-c", script], capture_output=True, text=True, check=True)
    assert COMPLETED[words] in [line.split("\t")[0] for line in done.stdout.splitlines()]


@needs("zsh")
def test_zsh_can_read_its_completion(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "_dirtyscan").write_text(dirtyscan("--completion", "zsh").stdout)
    subprocess.run(["zsh", "-n", tmp_path / "_dirtyscan"], check=True)
    assert "--accelerator" in (tmp_path / "_dirtyscan").read_text()


def unforeseen(_: argparse.Namespace) -> int:
    raise ZeroDivisionError("by nobody")


def test_what_nobody_foresaw_is_one_sentence_and_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "run", unforeseen)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.main(["report"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "dirtyscan: something went wrong that was not foreseen (ZeroDivisionError in test_cli.py, "
    )
    assert len(said.splitlines()) == 1
    (kept,) = tmp_path.iterdir()
    assert str(kept) in said
    assert "ZeroDivisionError: by nobody" in kept.read_text(encoding="utf-8")


def run_with_streams(redirected: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command in a shell with ``redirected``; return its status and what it said."""
    command = f'"$0" -m harness "$@" {redirected}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stderr


REFERENCE = "results/amd-epyc-26-2"


@pytest.mark.parametrize(
    ("redirected", "arguments", "status", "says"),
    [
        (">&-", ["trace", "parameters", "cond1"], 0, ""),
        ("<&- >&- 2>&-", ["trace", "parameters", "cond1"], 0, ""),
        (">/dev/full", ["trace", "parameters", "cond1"], 2, "the output cannot be written ("),
        (">/dev/full", ["report", REFERENCE, "--format", "csv"], 2, "No space left on device"),
        (">/dev/full 2>/dev/full", ["trace", "parameters", "cond1"], 2, ""),
        ("2>/dev/full", ["trace", "info", "/nope"], 2, ""),
        ("2>&-", ["trace", "info", "/nope"], 2, ""),
        ("2>/dev/full", ["bench", "--fast"], 2, ""),
    ],
)
def test_streams_that_take_nothing_end_quietly(
    redirected: str, arguments: list[str], status: int, says: str
) -> None:
    returned, said = run_with_streams(redirected, *arguments)
    assert (returned, bool(said)) == (status, bool(says)), said
    assert says in said
    assert len(said.splitlines()) <= 1


def test_a_terminal_that_lacks_characters_gets_others() -> None:
    for environment in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ):
        returned, said = run_with_streams(">/dev/null", "report", REFERENCE, **environment)
        assert (returned, said) == (0, "")


def test_what_would_steer_a_terminal_is_written_out(dirtyscan: Run) -> None:
    assert printable("ü ± \U0001f600\nnext") == "ü ± \U0001f600\nnext"
    assert printable("a\x1b[31m\x07\t\x9b") == r"a\x1b[31m\x07\t\x9b"
    assert printable("a\udce9\u202eb\u2028") == r"a\xe9\u202eb\u2028"
    done = dirtyscan("bench", "--trace", "/nope\x1b[31m")
    assert done.returncode == 2
    assert done.stderr.startswith(r"dirtyscan: trace /nope\x1b[31m cannot be opened")
    done = dirtyscan("\x1b[31m")
    assert "\x1b" not in done.stderr
