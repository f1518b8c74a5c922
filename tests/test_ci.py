"""What CI runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results.pack import write_pack

CI = Path(__file__).parent.parent / ".ci"
RESULT = CI.parent / "results" / "amd-epyc-26-2-tick"
DIRTYSCAN = Path(sys.executable).parent / "dirtyscan"
TOOLS = ("clang", "valgrind", "rustc", "qemu-system-x86_64", "chromium")


def test_a_bare_machine_has_no_tool(tmp_path: Path) -> None:
    """Where this machine allows to hide them; the command itself runs as who asked for it."""
    for tool in TOOLS:
        (tmp_path / tool).touch(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    script = f"type -ap {' '.join(TOOLS)}; ls /boot; type -p git make cc >/dev/null; id -u"
    done = subprocess.run(
        [CI / "bare", "bash", "-c", script], env={**os.environ, "PATH": path}, text=True,
        capture_output=True,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("needs mounts")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(os.getuid())]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A repository with two results, one of which does not hold, and a branch from there."""
    folder = tmp_path / "asked"
    shutil.copytree(RESULT, folder / "results" / "old")
    (folder / "results" / "bad").mkdir()
    (folder / "results" / "bad" / "tick.csv").write_text("")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "results")
    git(folder, "switch", "--quiet", "--create", "given")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def verify_given(folder: Path) -> subprocess.CompletedProcess[str]:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "given")
    environment = {**os.environ, "DIRTYSCAN": str(DIRTYSCAN)}
    return subprocess.run(
        [CI / "verify-results", "main"], cwd=folder, env=environment, text=True, capture_output=True
    )


@pytest.mark.skipif(not DIRTYSCAN.exists(), reason="needs dirtyscan as a command")
def test_what_a_branch_gives_is_verified_and_nothing_else(asked: Path) -> None:
    done = verify_given(asked)
    assert (done.returncode, done.stdout) == (0, "no result was given\n")
    write_pack(RESULT, asked / "results" / "given-1.zip")
    shutil.copytree(RESULT, asked / "results" / "a $(touch x) 'name'\n::error::" / "more")
    shutil.rmtree(asked / "results" / "bad")  # what is taken away needs no look
    done = verify_given(asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("it holds") == 2
    assert not any(line.startswith("::") for line in done.stdout.splitlines())
    assert "results/given-1.zip: it holds" in done.stdout
    (asked / "results" / "old" / "tick.csv").write_text("a\n")
    (asked / "results" / "given-2.zip").write_bytes(b"PK")
    done = verify_given(asked)
    assert done.returncode == 2
    assert "pack results/given-2.zip is no archive" in done.stderr
    assert "results/old: 1 of what it says is wrong" in done.stdout
    assert not list(asked.rglob("x"))
