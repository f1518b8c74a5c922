"""What is wrong on one side of a gate: here it is bad input or astray, and there undecided."""

from pathlib import Path

import pytest

from harness.gate import against, decision
from harness.native.manifest import MANIFEST
from tests.conftest import Run, sentences
from tests.needs import needs
from tests.test_gate import NOTHING, SOURCE, WORK
from tests.test_gate_revision import commit, git
from tests.test_repositories import ask

pytestmark = needs("git")
ONE_WORD_SHORT = SOURCE.replace("page < map->pages", "page + 8 < map->pages")
FILES = ("mine", "other")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide after few processes, as how sure the gate is was tested elsewhere."""
    monkeypatch.setattr(decision, "ALPHA", 0.2)
    monkeypatch.setattr(decision, "_SPARE", 1)
    monkeypatch.setattr(against, "PRECISION", 1e6)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two files, which no manifest names."""
    for name in FILES:
        (tmp_path / f"{name}.c").write_text(SOURCE % NOTHING)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def name_in_manifest(folder: Path) -> None:
    stanzas = (f"[variant.{name}]\nsources = ['{name}.c']\n" for name in FILES)
    (folder / MANIFEST).write_text("".join(stanzas))


@pytest.mark.parametrize("manifest", [False, True])
def test_what_does_not_compile_here_is_bad_input(
    dirtyscan: Run, repository: Path, manifest: bool
) -> None:
    """And not undecided, which a project may let pass."""
    if manifest:
        name_in_manifest(repository)
        commit(repository)
    (repository / "mine.c").write_text("no C\n")
    behind = () if manifest else ("--", "mine.c", "other.c")
    status, said, errors = ask(dirtyscan, "--against", "HEAD", "--undecided", "pass", *behind)
    assert status == 2, said
    assert "mine.c does not compile with" in errors
    assert len(sentences(errors)) == 1
