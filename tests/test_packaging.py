"""What is handed on: a wheel that works by itself, and a source distribution with all its tests."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.conftest import once

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both distributions, made of what is committed or about to be."""
    if subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("needs a repository of git that may be read")
    return once(tmp_path_factory, "distributions", make_distributions)


def make_distributions(folder: Path) -> None:
    for name in committed():
        target = folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for kind in ("sdist", "wheel"):
        build = f"import setuptools.build_meta as backend; backend.build_{kind}('..')"
        command = [sys.executable, "-c", build]
        subprocess.run(command, cwd=folder / "source", check=True, capture_output=True)


def committed() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_a_source_distribution_is_the_whole_repository(made: Path) -> None:
    (path,) = made.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert committed() - inside == set()


def test_the_tests_of_a_source_distribution_can_be_run(made: Path, tmp_path: Path) -> None:
    """All of them find what they import; and one is run, which reads what is beside the code."""
    (path,) = made.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    for asked in (["--collect-only", "tests"], ["tests/test_tables.py"]):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *asked]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.fixture
def installed(made: Path, tmp_path: Path) -> Path:
    """The command of a wheel in an environment that has besides it what it depends on."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (path,) = made.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = tmp_path / "env" / "bin" / "dirtyscan"
    entry = "import sys\nfrom harness.__main__ import run\nsys.exit(run())\n"
    command.write_text(f"#!{tmp_path}/env/bin/python\n{entry}")
    command.chmod(0o755)
    return command


def test_a_wheel_measures_in_a_folder_with_anybodys_files(installed: Path, tmp_path: Path) -> None:
    """A random.py of the current folder was imported, and the commit of its repository recorded."""
    folder = tmp_path / "theirs"
    (folder / "harness").mkdir(parents=True)
    for name in ("random.py", "harness/__init__.py"):
        (folder / name).write_text("raise SystemExit('a file of the user was imported')\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "theirs"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    for asked in (
        ["bench", "--quick", "--budget", "5", "--guest-memory", "16MiB", "--condition", "cond1"],
        ["report", "--html"],
    ):
        done = subprocess.run(
            [installed, *asked], cwd=folder, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
    assert "page: results/latest/report.html" in done.stdout
    result = folder / "results" / "latest"
    assert (result / "report.html").stat().st_size > 50_000
    assert json.loads((result / "environment.json").read_text())["git_commit"] == "unknown"


def test_a_wheel_has_all_code_data_and_its_types(made: Path) -> None:
    (path,) = made.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        inside = set(archive.namelist())
    wanted = {name for name in committed() if re.match(r"(harness|workloads)/", name)}
    assert wanted - inside == set()
    assert {"harness/py.typed", "workloads/py.typed"} <= inside


def test_what_an_index_shows_has_no_link_that_leads_nowhere(made: Path) -> None:
    """The README's are relative, and so is its picture: beside a package none of them leads on."""
    (path,) = made.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        metadata = message_from_string(archive.read(name).decode())
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert "dirtyscan bench --quick" in text
    assert re.findall(r"\]\((?!https://)|<img|<this repository>", text) == []


def test_a_benchmark_installs_nothing_of_the_developers() -> None:
    """'make bench' took 770 MB, half of it for tests and lint."""
    both = [(ROOT / f"requirements{kind}.lock").read_text() for kind in ("", "-dev")]
    run, developed = ({*re.findall(r"^([\w.-]+)==", text, re.MULTILINE)} for text in both)
    assert run < developed
    assert {"pytest", "playwright", "mypy", "ruff", "clang-tidy"} <= developed - run
    for target, installs in (("bench", False), ("test", True), ("lint", True)):
        command = ["make", "--dry-run", "--always-make", target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert ("requirements-dev.lock" in done.stdout) == installs, target
