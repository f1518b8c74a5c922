"""What is wrong on one side of a gate: here it is bad input or astray, and there undecided."""

import os
from pathlib import Path

import pytest

from harness.gate import against, decision
from harness.native.manifest_tables import MANIFEST
from tests.conftest import Run, sentences
from tests.needs import needs
from tests.test_gate import NOTHING, SOURCE, WORK
from tests.test_gate_revision import commit, git
from tests.test_repositories import ask

pytestmark = needs("git")
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


WRONG = SOURCE % "dirty += page == 0;"
CRASHES = SOURCE % "if (page == 0) dirty += *(volatile uint64_t *)8;"
COUNT = ("--against", "HEAD", "--instructions", "--untimed")


@needs("valgrind")
@pytest.mark.parametrize(("text", "what"), [(WRONG, "counts "), (CRASHES, "crashes ")])
def test_what_is_counted_alone_is_tried_before(
    dirtyscan: Run, repository: Path, text: str, what: str
) -> None:
    """Nonsense may take fewer instructions, and valgrind says of what crashes that it ended."""
    mine = repository / "mine.c"
    mine.write_text(text)
    (repository / "other.c").write_text(SOURCE % WORK)
    status, said, errors = ask(dirtyscan, *COUNT, "--", "mine.c", "other.c")
    assert status == 1, said + errors
    assert f"failed: variant mine (cc-era) {what}" in said
    assert "in snapshot 1 of 3 of cond1 captured" in said
    assert "1 variant went astray." in said
    assert "other (count, cc-era) takes" in said
    assert "mine (count, cc-era) takes" not in said
    # Where it was so before and is mended, there is nothing to compare it with.
    commit(repository)
    mine.write_text(SOURCE % WORK)
    status, said, errors = ask(dirtyscan, *COUNT, "--", "mine.c", "other.c")
    assert status == 3, said + errors
    at = git(repository, "rev-parse", "HEAD")[:12]
    assert f"mine (count, cc-era) was wrong at HEAD ({at}): it {what}" in said


def test_what_cannot_be_counted_is_undecided_where_nothing_is_timed(
    dirtyscan: Run, repository: Path
) -> None:
    (repository / "bin").mkdir()
    valgrind = repository / "bin/valgrind"
    valgrind.write_text("#!/bin/sh\nexit 9\n")
    valgrind.chmod(0o755)
    (repository / "mine.c").write_text(SOURCE % WORK)
    environment = {**os.environ, "PATH": f"{valgrind.parent}:{os.environ['PATH']}"}
    # Another has the code of before, of which it is known that it is no slower.
    behind = ("--condition", "cond1", "--", "mine.c", "other.c")
    done = dirtyscan("gate", *COUNT, *behind, env=environment)
    assert done.returncode == 3, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "mine (count) with cc-era, valgrind ended with status 9" in said
    assert "1 of 2 variants have compiled to" in said


def test_what_is_wrong_is_so_whatever_the_budget(dirtyscan: Run, repository: Path) -> None:
    """All are tried before one is timed."""
    short = ("--budget", "0.01")
    (repository / "mine.c").write_text(WRONG)
    (repository / "other.c").write_text(SOURCE % WORK)
    behind = ("--", "mine.c", "other.c")
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *short, *behind)
    assert status == 1, said + errors
    assert "count: a budget of 0.01 s is shorter than one round" in said
    assert "failed: variant mine (cc-era) counts " in said
    required = (f"--require=cond1 {name}.c >= 1" for name in FILES)
    status, said, errors = ask(dirtyscan, *required, *short)
    assert status == 1, said + errors
    assert "is shorter than one round" in said
    assert "failed: variant mine (cc-era) counts " in said
    commit(repository)
    (repository / "mine.c").write_text(SOURCE % WORK)
    (repository / "other.c").write_text(SOURCE % NOTHING)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *short, *behind)
    assert status == 3, said + errors
    assert "mine (count, cc-era) was wrong at HEAD (" in said


READS_BEHIND = SOURCE % "dirty += map->bytes[map->pages] == 77;"
ON_A_BITMAP = """
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t word, dirty = 0;

    for (word = 0; word < (map->pages + 63) / 64; word++) {
        dirty += (uint64_t)__builtin_popcountll(map->words[word]);
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "bitmap",
    .summary = "a test", .run.count = count,
};
"""


@pytest.mark.parametrize(("text", "what"), [(WRONG, "counts "), (READS_BEHIND, "reads ")])
def test_what_was_wrong_can_be_mended(
    dirtyscan: Run, repository: Path, text: str, what: str
) -> None:
    """Of that one nothing can be said, and what got slower beside it is called so."""
    (repository / "mine.c").write_text(text)
    at = commit(repository)
    (repository / "mine.c").write_text(SOURCE % NOTHING + "/* mended */\n")
    behind = ("--", "mine.c", "other.c")
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *behind)
    assert status == 3, said + errors
    assert f"mine (count, cc-era) was wrong at HEAD ({at}): it {what}" in said
    assert ask(dirtyscan, "--against", "HEAD", "--undecided", "pass", *behind)[0] == 0
    (repository / "other.c").write_text(SOURCE % WORK)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *behind)
    assert status == 1, said + errors
    assert f"mine (count, cc-era) was wrong at HEAD ({at}): it {what}" in said
    assert "other (count, cc-era) is" in said
    assert "1 variant got slower." in said


def test_each_side_is_called_on_the_map_that_it_looks_at(dirtyscan: Run, repository: Path) -> None:
    (repository / "mine.c").write_text(ON_A_BITMAP)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", "--", "mine.c")
    assert status == 0, said + errors
    assert "mine (count, cc-era) is" in said
    assert "faster" in said


def test_files_of_one_name_are_told_apart(dirtyscan: Run, repository: Path) -> None:
    for folder in ("a", "b"):
        (repository / folder).mkdir()
        (repository / folder / "scan.c").write_text(SOURCE % NOTHING)
    commit(repository)
    for folder in ("a", "b"):
        (repository / folder / "scan.c").write_text(SOURCE % WORK)
    files = ("a/scan.c", "b/scan.c", "./a/scan.c")
    status, said, errors = ask(dirtyscan, "--against", "HEAD", "--", *files)
    assert status == 1, said + errors
    assert "2 variants got slower." in said
    assert "scan (count, cc-era) is" in said
    assert "b/scan.c (count, cc-era) is" in said


def test_what_cannot_be_read_of_a_revision_is_undecided(dirtyscan: Run, repository: Path) -> None:
    """It is named as what it is of the revision, whose files are gone by then; others go on."""
    mine, behind = repository / "mine.c", ("--", "mine.c", "other.c")
    mine.write_text("no C\n")
    at = commit(repository)
    mine.write_text(SOURCE % NOTHING)
    (repository / "other.c").write_text(SOURCE % WORK)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *behind)
    assert status == 1, said + errors
    assert f"mine.c: HEAD ({at})/mine.c does not compile with cc-era" in said
    assert "other (count, cc-era) is" in said
    (repository / "other.c").write_text(SOURCE % NOTHING)
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *behind)
    assert status == 3, said + errors
    assert "compiled to the very code of" in said
    # A manifest that could not be read then is not to blame on what it says now.
    (repository / MANIFEST).write_text("[variant.mine\n")
    at = commit(repository)
    name_in_manifest(repository)
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 3, said + errors
    assert f"HEAD ({at})/dirtyscan.toml cannot be read" in said
    assert not errors.startswith("dirtyscan: ")


@needs("clang", "gcc")
def test_what_one_compiler_did_not_take_then_is_undecided(dirtyscan: Run, repository: Path) -> None:
    mine, of_gcc = repository / "mine.c", "#ifdef __clang__\n#error not for clang\n#endif\n"
    mine.write_text(of_gcc + SOURCE % NOTHING)
    at = commit(repository)
    mine.write_text(SOURCE % NOTHING)
    toolchain = ("--toolchain", "gcc-era", "--toolchain", "clang-era")
    status, said, errors = ask(dirtyscan, "--against", "HEAD", *toolchain, "--", "mine.c")
    assert status == 3, said + errors
    assert f"mine: HEAD ({at})/mine.c does not compile with clang-era" in said
