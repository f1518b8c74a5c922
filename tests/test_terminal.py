"""What a terminal shows: 80 columns, colour unless it is refused, and none where none is read."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import main
from harness.presentation.progress import ProgressDisplay

RESULTS = Path(__file__).parent.parent / "results"
COMMANDS = {
    "report": ["report", str(RESULTS / "amd-epyc-26-2")],
    "two reports": [
        *("report", str(RESULTS / "amd-epyc-26-2"), str(RESULTS / "intel-xeon-processor")),
    ],
    "every variant": ["report", str(RESULTS / "amd-epyc-26-2-variants")],
    "variants": ["variants"],
    "claims": ["claims"],
    "parameters": ["trace", "parameters", "cond3"],
    "doctor": ["doctor"],
}  # fmt: skip
COLOUR = re.compile(r"\x1b\[[\d;]*3[0-9]m")
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def on_terminal(arguments: list[str], folder: Path, **environment: str) -> str:
    """Run a command on a terminal of 80 columns and return what it was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments], cwd=folder, stdin=theirs, stdout=theirs,
        stderr=theirs, env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    )  # fmt: skip
    os.close(theirs)
    sent = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            break
        if not part:
            break
        sent += part
    os.close(ours)
    assert process.wait() == 0
    return sent.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_fit_a_terminal(name: str, tmp_path: Path) -> None:
    shown = CONTROL.sub("", on_terminal(COMMANDS[name], tmp_path))
    longest = max(shown.splitlines(), key=len)
    assert len(longest) <= 80, longest


@pytest.mark.parametrize("name", COMMANDS)
def test_a_narrow_terminal_cuts_nothing_off(name: str, tmp_path: Path) -> None:
    """Names of 60 columns and more were cut to "multi_..." and "synth..."."""
    shown = CONTROL.sub("", on_terminal(COMMANDS[name], tmp_path, COLUMNS="60"))
    assert "…" not in shown
    if "report" in name:
        assert "cond4 recorded; variant multi_page; speedup" in " ".join(shown.split())
    if name != "doctor":  # whose remedies are for copying, so a terminal breaks them itself
        assert all(len(line) <= 60 for line in shown.splitlines())


def test_time_left_is_shown_though_the_whole_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich's own column forgets its pace then, and always said -:--:--."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    shown = Console(file=stream, force_terminal=True, width=80, get_time=lambda: now)
    with ProgressDisplay(shown) as tell:
        for done, whole in ((0, 150), (10, 150), (20, 148), (30, 144)):
            tell("measuring, 5 processes", done, whole, "s")
            now += 10
        now -= 6
    shown.print(tell._bar or "")
    assert "1:50 left" in CONTROL.sub("", stream.getvalue())


def test_what_takes_steps_is_told_by_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    shown = Console(file=stream, force_terminal=True, width=80, get_time=lambda: now)
    with ProgressDisplay(shown) as tell:
        for done in range(4):
            tell("traces", done, 12)
            now += 20
        now -= 20
    shown.print(tell._bar or "")
    assert "3:00 left" in CONTROL.sub("", stream.getvalue())


def test_disagreement_is_marked_in_colour_unless_refused(tmp_path: Path) -> None:
    shown = on_terminal(COMMANDS["report"], tmp_path)
    weaker = [line for line in shown.splitlines() if "weaker" in line]
    assert weaker
    assert all(COLOUR.search(line) for line in weaker)
    refused = on_terminal(COMMANDS["report"], tmp_path, NO_COLOR="1")
    assert "weaker" in refused
    assert not COLOUR.search(refused)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_control_characters_in_a_pipe(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert main(COMMANDS[name]) == 0
    out, err = capfd.readouterr()
    assert len(out) > 100
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", out + err)
