"""The gate on several hosts: what one finds slower alone is not called slower."""

import argparse
import dataclasses
import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.commands import gate_hosts
from harness.commands.cluster import Files
from harness.gate.finding import Basis, Change, Compared, Finding, Verdict
from harness.gate.several import settle_hosts, verdict_from_json, verdict_to_json
from harness.gate.snapshot import bundle_repository, clone_bundle
from harness.native.variant import VARIANTS
from tests.clusters import local_cluster
from tests.fuzz import fuzz
from tests.needs import needs

CHANGES = st.sampled_from(list(Change))
RATIOS = {Change.SLOWER: 0.9, Change.UNDECIDED: 0.98, Change.UNCHANGED: 1.0, Change.FASTER: 1.1}


def row(change: Change, variant: str = "mine", shift: float = 0.0) -> Finding:
    ratio = RATIOS[change] + shift
    return Finding(
        Basis.REVISION, "count", variant, "cc-era", "cond1 synthetic", "ns",
        100.0, 100.0 / ratio, ratio, ratio - 0.01, ratio + 0.01, change,
        "too few" if change is Change.UNDECIDED else "",
    )  # fmt: skip


def verdict(*rows: Finding) -> Verdict:
    compared = Compared(Basis.REVISION, "before (0123)", len(rows))
    return Verdict(rows, compared=(compared,), measured_on="Measured on One.")


@fuzz
@given(changes=st.lists(CHANGES, min_size=1, max_size=6))
def test_slower_is_what_two_hosts_find_slower(changes: list[Change]) -> None:
    found = settle_hosts({f"h{n}": verdict(row(c, shift=n / 1e4)) for n, c in enumerate(changes)})
    (only,) = found.findings
    assert (only.change is Change.SLOWER) == (changes.count(Change.SLOWER) >= 2)
    assert (only.change is Change.FASTER) == (
        changes.count(Change.FASTER) >= 2 and Change.SLOWER not in changes
    )
    if changes.count(Change.SLOWER) == 1:
        assert only.change is Change.UNDECIDED
        assert f"on h{changes.index(Change.SLOWER)} alone" in only.reason
        assert all(f"h{n}" in only.reason for n in range(len(changes)))
    if set(changes) == {Change.UNDECIDED}:
        assert only.change is Change.UNDECIDED


def test_what_went_wrong_names_its_host() -> None:
    broken = dataclasses.replace(verdict(), broken=("variant x crashes",), undecided=("too short",))
    found = settle_hosts({"a": broken, "b": verdict(row(Change.UNCHANGED))})
    assert found.broken == ("a: variant x crashes",)
    assert found.undecided == ("a: too short",)
    assert found.failed
    assert found.measured_on == "a: Measured on One. b: Measured on One."


def test_an_answer_travels_whole() -> None:
    sent = verdict(row(Change.SLOWER), row(Change.UNDECIDED, "other"))
    sent = dataclasses.replace(
        sent, findings=(*sent.findings, dataclasses.replace(sent.findings[0], low=float("nan")))
    )
    assert repr(verdict_from_json(verdict_to_json(sent))) == repr(sent)
    got = verdict_from_json(verdict_to_json(verdict()), "HEAD (4567)")
    assert got.compared[0].against == "HEAD (4567)"
    for text in ("", "[]", "{}", '{"findings": 5}', verdict_to_json(sent).replace("slower", "x")):
        with pytest.raises(BadInput, match="the answer of a host cannot be read"):
            verdict_from_json(text)


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", *own, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a variant below it that takes three instructions a page more since."""
    folder = tmp_path / "repository"
    (folder / "bench").mkdir(parents=True)
    git(folder, "init", "-q")
    once = (VARIANTS / "count/page_by_page.c").read_text(encoding="utf-8")
    shutil.copy(VARIANTS / "count/page_by_page.c", folder / "bench/mine.c")
    (folder / ".gitignore").write_text("*.o\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    test = "if (page_is_dirty(addr, DIRTYSCAN_MIGRATION_FLAG, page_bits)) {"
    assert test in once
    slower = once.replace(test, f'__asm__ volatile("nop\\n\\tnop\\n\\tnop");\n{test}')
    (folder / "bench/mine.c").write_text(slower, encoding="utf-8")
    (folder / "bench/new.c").touch()
    (folder / "bench/ignored.o").touch()
    return folder


@needs("git")
def test_a_repository_travels_as_it_is_here(repository: Path, tmp_path: Path) -> None:
    status = git(repository, "status", "--porcelain")
    objects = sorted((repository / ".git").rglob("*"))
    bundle, called, place = bundle_repository(repository / "bench", "HEAD", False)
    assert called == f"HEAD ({git(repository, 'rev-parse', 'HEAD')[:12]})"
    assert str(place) == "bench"
    assert git(repository, "status", "--porcelain") == status
    assert sorted((repository / ".git").rglob("*")) == objects
    (tmp_path / "bundle").write_bytes(bundle)
    clone_bundle(tmp_path / "bundle", tmp_path / "there")
    there = tmp_path / "there"
    assert sorted(p.name for p in (there / "bench").iterdir()) == ["mine.c", "new.c"]
    mine = "bench/mine.c"
    assert (there / mine).read_bytes() == (repository / mine).read_bytes()
    assert git(there, "show", f"before:{mine}") == git(repository, "show", f"HEAD:{mine}")
    with pytest.raises(BadInput, match="revision 'nowhere' cannot be found"):
        bundle_repository(repository, "nowhere", False)
    with pytest.raises(BadInput, match="is in no git repository"):
        bundle_repository(tmp_path, "HEAD", False)


OWN: dict[str, Any] = {"arguments": [], "settings": [], "against": ["HEAD~1"], "merge_base": False}


def test_hosts_ask_about_a_clone_of_the_same_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they have is theirs, and a green answer about other code would be of nothing."""
    monkeypatch.setattr(gate_hosts, "is_own_clone", lambda: True)
    monkeypatch.setattr(gate_hosts, "find_commit", lambda *_: ("45" * 20, "HEAD~1 (4545)"))
    monkeypatch.setattr(gate_hosts, "git_commit", lambda: "0123")
    given, since = gate_hosts._for_host(argparse.Namespace(**OWN), Files())
    assert since == "HEAD~1 (4545)"
    assert given["against"] == ["45" * 20]
    there = argparse.Namespace(**given)
    monkeypatch.chdir(VARIANTS.parent)
    gate_hosts.go_to_repository(there)
    assert Path.cwd() == VARIANTS
    for other in ("4567", "0123-dirty", "unknown"):
        monkeypatch.setattr(gate_hosts, "git_commit", functools.partial(str, other))
        with pytest.raises(BadInput, match=f"is at {other}, and what is asked about is 0123; "):
            gate_hosts.go_to_repository(there)
    monkeypatch.setattr(gate_hosts, "git_commit", lambda: "0123-dirty")
    with pytest.raises(BadInput, match=r"what is not committed here is not; commit it"):
        gate_hosts._for_host(argparse.Namespace(**OWN), Files())


@needs("git", "valgrind")
def test_the_gate_asks_every_host(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs distributed")
    options = ["--instructions", "--untimed", "--condition", "cond1", "--code-quality", "q.json"]
    with local_cluster(tmp_path) as cluster:
        status, said = cluster.ask(
            *("gate", "--against", "HEAD", *options, "--", "mine.c"), below="repository/bench"
        )
        assert status == 1, said
        for host in ("a", "b"):
            assert f"{host}: " in said
            assert "1 variant got slower." in said
        assert "against HEAD (" in said
        (ratio,) = set(re.findall(r"\b[ab] (0\.\d+) slower", said))
        assert 0.5 < float(ratio) < 0.9
        assert (repository / "bench/q.json").exists()
        cluster.kill("b")
        status, said = cluster.ask(
            *("gate", "--against", "HEAD", *options, "--", "mine.c"), below="repository/bench"
        )
        assert status == 3, said
        assert "on a alone, no second host measured it" in " ".join(said.split())
