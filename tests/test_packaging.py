"""What is handed on: a source distribution has all that its tests need."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_a_source_distribution_is_the_whole_repository(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs a repository of git that may be read")
    names = set(listed.stdout.split("\0")) - {""}
    for name in names:
        target = tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    build = "import setuptools.build_meta as backend; backend.build_sdist('..')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path / "source", check=True, capture_output=True
    )
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert names - inside == set()
