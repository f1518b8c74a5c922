"""The work tree of a revision is gone when the gate is, however that ends."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.errors import BadInput
from harness.gate.git import work_tree
from harness.native.manifest_tables import MANIFEST
from tests.conftest import LONGEST, Run, wait_until
from tests.needs import needs
from tests.test_gate import NOTHING, ROOT, SOURCE
from tests.test_gate_revision import commit, git
from tests.test_repositories import ask

pytestmark = needs("git")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a variant in a file."""
    (tmp_path / "mine.c").write_text(SOURCE % NOTHING)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def work_trees(folder: Path) -> int:
    return len(git(folder, "worktree", "list").splitlines())


def test_a_hook_of_the_repository_has_no_say(dirtyscan: Run, repository: Path) -> None:
    hook = repository / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", "--", "mine.c")
    assert status == 0, said + errors
    assert work_trees(repository) == 1


def test_a_work_tree_that_is_made_in_part_is_removed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a filter fails, or the disk is full, when git knows it already."""
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    real = shutil.which("git")
    adds = f'case "$*" in *"worktree add"*) {real} "$@"; echo full >&2; exit 1;; esac'
    program.write_text(f'#!/bin/sh\n{adds}\nexec {real} "$@"\n')
    program.chmod(0o755)
    at = git(repository, "rev-parse", "HEAD")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        with (
            pytest.raises(BadInput, match=r"cannot be made \(full\)"),
            work_tree(repository, at, tmp_path / "scratch"),
        ):
            pass
    assert work_trees(repository) == 1


def test_a_gate_that_is_cancelled_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    """CI ends what takes too long, or is not wanted any more, with SIGTERM."""
    build = "touch started; sleep 600; cp ../mine.o ."
    (repository / MANIFEST).write_text(f'[variant.mine]\nbuild = "{build}"\nlibrary = "mine.o"\n')
    commit(repository)
    gate = subprocess.Popen(
        [sys.executable, "-m", "harness", "gate", "--against", "HEAD"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until((repository / "started").exists)
        assert work_trees(repository) == 2
        gate.send_signal(signal.SIGTERM)
        _, errors = gate.communicate(timeout=LONGEST)
    finally:
        gate.kill()
        gate.wait()
    assert gate.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert work_trees(repository) == 1
