"""The gate against a revision of dirtyscan's own clone, and elsewhere, where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST, once, sentences
from tests.test_gate import FAST, NOTHING, ROOT, SOURCE, WORK

pytestmark = pytest.mark.skipif(
    not shutil.which("git"), reason="git is not here, so nothing is compared with a revision"
)


KEPT = ("page_by_page", "word_sum", "multi_page")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *identity, "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """Commit all that is in a repository and return what the gate calls the commit."""
    git(folder, "add", "--all", "--force", ".")
    git(folder, "commit", "-q", "-m", "All")
    return git(folder, "rev-parse", "HEAD")[:12]


def make_clone(folder: Path) -> None:
    """Make a repository with dirtyscan's code in one commit, as it is in this tree.

    It has some of the variants, as both sides of all are compiled, and decides after few processes.
    """
    for name in ("harness", "workloads"):
        ignored = shutil.ignore_patterns("__pycache__", "captured")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in (folder / "harness" / "variants").glob("*/*.*"):
        if path.parent.name not in ("count", "next") or path.name.split(".")[0] not in KEPT:
            path.unlink()
    decision = folder / "harness" / "gate" / "decision.py"
    text = decision.read_text().replace("ALPHA = 0.01", "ALPHA = 0.2")
    decision.write_text(text.replace("_SPARE = 4", "_SPARE = 1"))
    against = folder / "harness" / "gate" / "against.py"
    against.write_text(against.read_text().replace("PRECISION = 0.8", "PRECISION = 1e6"))
    git(folder, "init", "-q")
    commit(folder)


@pytest.fixture
def clone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of dirtyscan's code, for this test to change."""
    folder = tmp_path / "clone"
    shutil.copytree(once(tmp_path_factory, "clone", make_clone), folder, symlinks=True)
    return folder


def ask(
    clone: Path,
    *arguments: str,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Ask the gate of ``clone``, by default from within it."""
    return subprocess.run(
        [sys.executable, "-m", "harness", "gate", *arguments],
        cwd=folder or clone,
        env={**os.environ, "PYTHONPATH": str(clone), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )


def words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stdout.split())


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len(sentences(done.stderr)) == 1


def test_only_what_has_changed_since_a_revision_is_timed(clone: Path) -> None:
    made = git(clone, "rev-parse", "HEAD")[:12]
    done = ask(clone, "--against", "HEAD")
    assert done.returncode == 0, done.stderr
    assert f"have compiled to the very code of HEAD ({made})" in words(done)
    assert "No variant got slower." in words(done)
    variants = clone / "harness" / "variants"
    slowed = variants / "count" / "word_sum.c"
    text = slowed.read_text()
    assert "uint64_t word" in text
    slowed.write_text(SOURCE % WORK)
    (variants / "count" / "page_by_page.c").write_text(
        "/* A remark changes nothing. */\n" + (variants / "count" / "page_by_page.c").read_text()
    )
    (variants / "count" / "mine.c").write_text(SOURCE % "")
    (variants / "next" / "page_by_page.c").unlink()
    done = ask(clone, "--against", "HEAD", *FAST)
    assert done.returncode == 1, done.stdout + done.stderr
    said = words(done)
    assert "not committed: count/mine.c, count/page_by_page.c, count/word_sum.c" in said
    assert "mine (count) is new" in said
    assert "page_by_page (next) is gone" in said
    assert "word_sum (count, cc-era) is" in said
    assert f"2 rows of 1 variant (count) timed against HEAD ({made})" in said
    assert "1 variant got slower." in said


def test_what_another_branch_has_mended_is_not_undone_here(clone: Path) -> None:
    """Compared with its tip, a branch from before would be slower by what was mended there."""
    mended = clone / "harness" / "variants" / "count" / "word_sum.c"
    original = mended.read_text()
    mended.write_text(SOURCE % WORK)
    base = commit(clone)
    git(clone, "checkout", "-q", "-b", "feature")
    git(clone, "checkout", "-q", "main")
    mended.write_text(original)
    commit(clone)
    git(clone, "checkout", "-q", "feature")
    done = ask(clone, "--against", "main", "--merge-base")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the very code of the merge base with main ({base})" in words(done)
    git(clone, "checkout", "-q", "--orphan", "alone")
    commit(clone)
    refused(ask(clone, "--against", "main", "--merge-base"), "no commit in common")


def test_a_revision_is_never_one_of_another_repository(clone: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    git(theirs, "init", "-q")
    (theirs / "mine.c").write_text(SOURCE % NOTHING)
    commit(theirs)
    (theirs / "mine.c").write_text(SOURCE % WORK)
    there = ("--against", "HEAD")
    refused(ask(clone, *there, folder=theirs), "nothing here to compare with HEAD")
    # As a hook of git's would run it.
    hook = {"GIT_DIR": str(theirs / ".git"), "GIT_INDEX_FILE": str(theirs / ".git" / "index")}
    refused(ask(clone, *there, folder=theirs, environment=hook), "nothing here to compare")
    assert ask(clone, *there, environment=hook).returncode == 0
    # Installed into an environment that lies in it, dirtyscan is no part of it either.
    installed = theirs / ".venv"
    shutil.copytree(clone, installed, ignore=shutil.ignore_patterns(".git"))
    refused(ask(installed, *there, folder=theirs), "nothing here to compare with HEAD")
    # What is theirs is compared with what was theirs.
    done = ask(clone, *there, "--condition", "cond1", "--", "mine.c", folder=theirs)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "mine cond1" in words(done)


def test_a_revision_with_an_older_contract_is_compared(clone: Path) -> None:
    contract = clone / "harness" / "variants" / "dirtyscan.h"
    now = contract.read_text()
    contract.write_text((ROOT / "tests" / "contract_2" / "dirtyscan.h").read_text())
    base = commit(clone)
    contract.write_text(now)
    done = ask(clone, "--against", "HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the very code of HEAD ({base})" in words(done)


def test_a_revision_with_a_contract_that_is_not_read_is_undecided(clone: Path) -> None:
    contract = clone / "harness" / "variants" / "dirtyscan.h"
    now = contract.read_text()
    contract.write_text(now.replace("DIRTYSCAN_ABI 3", "DIRTYSCAN_ABI 1"))
    commit(clone)
    contract.write_text(now)
    done = ask(clone, "--against", "HEAD")
    assert done.returncode == 3, done.stderr
    assert "written for version 1 of dirtyscan.h, and the working tree reads 2 and 3" in words(done)
    assert "Nothing was compared." in words(done)


def test_what_cannot_be_taken_of_a_revision_is_one_sentence(clone: Path) -> None:
    refused(ask(clone, "--against", "no-such-branch"), "revision 'no-such-branch' cannot be found")
    variants = clone / "harness" / "variants"
    (variants / "absolute").symlink_to("/etc/passwd")
    commit(clone)
    refused(ask(clone, "--against", "HEAD"), "the variants of HEAD cannot be extracted")
    (variants / "absolute").unlink()
    (variants / "count" / "word_sum.c").write_text("no C at all")
    at = commit(clone)
    (variants / "count" / "word_sum.c").write_text(SOURCE % NOTHING)
    done = ask(clone, "--against", "HEAD")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"word_sum: HEAD ({at})/count/word_sum.c does not compile with cc-era" in words(done)
    (variants / "count" / "word_sum.c").write_text("no C at all")
    refused(ask(clone, "--against", "HEAD"), "word_sum.c does not compile with cc-era")
    shutil.rmtree(clone / ".git")
    refused(ask(clone, "--against", "HEAD"), "nothing here to compare with HEAD")
