"""File systems that let nothing be loaded: one sentence names them, and what to set instead."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST
from tests.test_gate import NOTHING, SOURCE, WORK

BENCH = ("bench", "--quick", "--condition", "cond1", "--guest-memory", "4MiB")
GATE = ("gate", "--against", "old.c", "new.c")
# A mount of its own is seen by none but the command. Who is not root makes one in a namespace of
# users, where that is allowed.
APART = ("unshare", "--mount", "--propagation", "private", *(["-Ur"] if os.getuid() else []))
MOUNT = 'mount -t tmpfs -o noexec none "$0" || exit 77; exec "$@"'


@pytest.mark.parametrize(
    ("variable", "command", "remedy"),
    [
        ("XDG_CACHE_HOME", BENCH, "set XDG_CACHE_HOME to a folder that allows it"),
        ("", (*BENCH, "--output", "mounted/o"), "name a folder that allows it with --output"),
        ("TMPDIR", GATE, "or, for what is temporary, with TMPDIR"),
    ],
)
def test_a_mount_that_lets_nothing_be_loaded_is_named(
    variable: str, command: tuple[str, ...], remedy: str, tmp_path: Path
) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs noexec mounts")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (tmp_path / "old.c").write_text(SOURCE % NOTHING)
    (tmp_path / "new.c").write_text(SOURCE % WORK)
    done = subprocess.run(
        [*APART, "sh", "-c", MOUNT, str(mounted), sys.executable, "-m", "harness", *command],
        cwd=tmp_path, env={**os.environ, **({variable: str(mounted)} if variable else {})},
        capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("needs noexec mounts")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert "cannot be loaded (it is mounted noexec); " in sentence
    assert remedy in sentence
