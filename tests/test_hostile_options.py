"""Option values that nobody means: each ends in one sentence, none in what was not foreseen."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import COMMANDS
from tests.conftest import ask
from tests.fuzz import fuzz

DIGITS = "9" * 5000
VALUES = [
    (["bench", "--guest-memory", DIGITS], "is not a size"),
    (["bench", "--guest-memory", "9" * 4299 + "TiB"], "is not a size"),
    (["bench", "--guest-memory", "9" * 20 + "TiB"], "guest memory of"),
    (["bench", "--page-size", DIGITS], "is not a size"),
    (["bench", "--set", f"hot={DIGITS}"], "parameter hot='9999"),
    (["bench", "--set", "hot=1000000000000"], "at most 1e+06"),
    (["bench", "--set", "daemons=1000000000"], "at most 1000"),
    (["bench", "--set", "daemon_period=1" + "0" * 30], "at most 1e+09"),
    (["bench", "--set", "resident=1e308"], "at most 1e+06"),
    (["bench", "--set", "read_rate=999999TiB"], "at most 1.1259e+15"),
    (["bench", "--budget", "inf"], "'inf' is not a number of seconds above 0, at most a week"),
    (["bench", "--budget", "1e308"], "'1e308' is not a number of seconds"),
    (["bench", "--budget", DIGITS], "is not a number of seconds"),
    (["bench", "--precision", "nan"], "is not a share"),
    (["bench", "--seed", DIGITS], "argument --seed: invalid int value"),
    (["bench", "--variant", "x" * 10_000 + ".c"], "a variant cannot be called"),
    (["bench", "--variant", "\udce9.c"], "a variant cannot be called"),
    (["bench", "--config", "digits.toml"], "digits.toml is not valid TOML"),
    (["bench", "--config", "deep.toml"], "deep.toml is not valid TOML"),
    (["bench", "--config", "large.toml"], "parameter hot=9223372036854775808000 cannot be used"),
    (["bench", "--config", "list.toml"], "sets hot to [1]; a setting is one number"),
    (["study", "density", "--seed", "-1"], "'-1' is not a whole number from 0 up"),
    (["study", "size", "--budget", "1e300"], "is not a number of seconds"),
    (["claims", "run", "--budget", "inf"], "is not a number of seconds"),
    (["trace", "capture", "cond1", "--seconds", "-1"], "'-1' is not a whole number above 0"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Path("digits.toml").write_text(f"hot = {DIGITS}\n", encoding="utf-8")
    Path("deep.toml").write_text(f"hot = {'[' * 100_000}\n", encoding="utf-8")
    Path("large.toml").write_text("hot = 9223372036854775808000\n", encoding="utf-8")
    Path("list.toml").write_text("hot = [1]\n", encoding="utf-8")


@pytest.mark.parametrize(("arguments", "says"), VALUES, ids=[" ".join(a)[:50] for a, _ in VALUES])
def test_values_have_bounds(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert len(said) < 800 or DIGITS in said


WORDS = st.sampled_from(
    ["--budget", "--quick", "--trace", "--set", "--config", "--guest-memory", "--html", "--format",
     "--seed", "--settings", "--condition", "--variant", "list", "info", "import", "stream",
     "density", "csv", "cond9", "hot=", "nowhere", "-", "--", "-1", "1e400", "0", "NaN", "\x00",
     "[/b]", "$x$"]
) | st.text(max_size=6)  # fmt: skip


@fuzz
@given(
    command=st.sampled_from([name for name in COMMANDS if name not in ("doctor", "variants")]),
    rest=st.lists(WORDS, min_size=1, max_size=5),
)
def test_no_options_end_in_what_was_not_foreseen(command: str, rest: list[str]) -> None:
    """The last word is an option that no command knows, so nothing is measured."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cli._complain", seen.append)
        status = ask([command, *rest, "--no-such-option"])
    assert status in (0, 2)
    assert not any("not foreseen" in sentence for sentence in seen)


@fuzz
@given(
    name=st.sampled_from(["hot", "resident", "daemons", "bandwidth", "tick", "max_ticks", "file"]),
    value=st.floats() | st.integers(-(2**80), 2**80) | st.text(max_size=8),
)
def test_no_parameter_ends_in_what_was_not_foreseen(name: str, value: object) -> None:
    """What is taken, is taken by the guest too; that is left out where it would be large."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cli._complain", seen.append)
        patch.setattr("harness.commands.trace_run.synthesize", lambda *_: (_ for _ in ()).throw(
            SystemExit(0)))  # fmt: skip
        assert ask(["trace", "synthesize", "cond3", "--set", f"{name}={value}"]) in (0, 2)
    assert not any("not foreseen" in sentence for sentence in seen)
