"""Results that are given: a cluster's, one of version 0.1, one that is too large."""

import gzip
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from harness.base.errors import BadInput
from harness.results import pack
from harness.results.found import Kind
from harness.results.history import read_history
from harness.results.members import LARGEST_MEMBER, read_member
from harness.results.pack import read_pack, write_pack
from harness.results.verify import verify_folder
from tests.conftest import Run
from tests.test_packs import PLAIN, REFERENCE, RESULTS, _write

OLD = RESULTS / "intel-xeon-processor-variants"  # of version 0.1, with pyperf.json.gz


@pytest.fixture
def on_wintermute(monkeypatch: pytest.MonkeyPatch) -> None:
    uname = os.uname()
    host = os.uname_result(("Linux", "wintermute.local", *tuple(uname)[2:]))
    monkeypatch.setattr(os, "uname", lambda: host)


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """Store what a cluster brings back: a folder a host, and what names these."""
    folder = tmp_path / "cluster"
    hosts = ("wintermute", "neuromancer")
    for host in hosts:
        shutil.copytree(PLAIN, folder / host)
    (folder / "cluster.json").write_text(json.dumps({"hosts": {host: {} for host in hosts}}))
    (folder / "hosts.csv").write_text("host,pages\nwintermute,1\nneuromancer,2\n")
    return folder


def test_the_folder_of_a_host_is_called_as_its_name_is_replaced(
    cluster: Path, on_wintermute: None, dirtyscan: Run, tmp_path: Path
) -> None:
    done = dirtyscan("results", "pack", "cluster")
    assert done.returncode == 0, done.stderr
    members = read_pack(tmp_path / "cluster.zip").members
    folders = {name.rpartition("/")[0] for name in members}
    assert folders == {"", "somebody", "neuromancer"}
    assert set(json.loads(members["cluster.json"])["hosts"]) == folders - {""}
    assert set(pd.read_csv(io.BytesIO(members["hosts.csv"]))["host"]) == folders - {""}
    assert dirtyscan("results", "verify", "cluster.zip").returncode == 0
    assert dirtyscan("results", "unpack", "cluster.zip", "-o", "given").returncode == 0
    assert (tmp_path / "given" / "somebody" / "tick.csv").exists()
    # That of a host alone is called so too.
    done = dirtyscan("results", "pack", "cluster/wintermute")
    assert done.stdout == "somebody.zip: 2 members of somebody\n"


def test_two_folders_that_would_be_called_alike_are_no_pack(
    cluster: Path, on_wintermute: None, dirtyscan: Run, tmp_path: Path
) -> None:
    shutil.copytree(PLAIN, cluster / "Somebody")
    done = dirtyscan("results", "pack", "cluster")
    assert done.returncode == 2
    assert "would both be somebody/environment.json in a pack" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    shutil.rmtree(cluster / "Somebody")
    named = json.dumps({"hosts": {"wintermute": {}, "wintermute.local": {}}})
    (cluster / "cluster.json").write_text(named)
    done = dirtyscan("results", "pack", "cluster")
    assert "two of its names are one" in done.stderr  # rather than that one of them is lost
    assert not list(tmp_path.glob("*.zip"))


def test_a_file_that_is_called_after_the_machine_is_no_member(
    cluster: Path, on_wintermute: None, dirtyscan: Run
) -> None:
    (cluster / "wintermute.csv").write_text("a\n1\n")
    done = dirtyscan("results", "pack", "cluster")
    assert "wintermute.csv has a name that a pack does not take" in done.stderr


def _old_contents(cluster: Path) -> dict[str, bytes]:
    """Return what was packed of a cluster's result before: the names of folders stayed."""
    contents = {
        path.relative_to(cluster).as_posix(): path.read_bytes()
        for path in cluster.rglob("*.*")
        if path.suffix in (".csv", ".json")
    }
    text = contents["cluster.json"].decode().replace("wintermute", "somebody")
    return {**contents, "cluster.json": text.encode()}


def test_a_folder_that_has_the_name_of_a_host_is_found_in_a_pack(
    cluster: Path, dirtyscan: Run, tmp_path: Path
) -> None:
    """Anywhere: cluster.json has no host of that name any more, and one that nobody knows."""
    _write(tmp_path / "old.zip", _old_contents(cluster))
    done = dirtyscan("results", "verify", "old.zip")
    assert done.returncode == 1
    assert "✗ wintermute/: it is called after somebody's machine" in done.stdout
    assert dirtyscan("results", "verify", "cluster").returncode == 0  # it is nobody else's yet


def test_on_the_machine_itself_its_name_is_found(
    cluster: Path, on_wintermute: None, dirtyscan: Run, tmp_path: Path
) -> None:
    contents = _old_contents(cluster)
    del contents["cluster.json"]
    _write(tmp_path / "old.zip", contents | {"count/tick.csv": contents["wintermute/tick.csv"]})
    done = dirtyscan("results", "verify", "old.zip")
    assert "✗ wintermute/: it is called after somebody's machine" in done.stdout


def test_an_operation_is_nobodys_name(
    tmp_path: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody called Mark is given the result of a study of operations."""
    write_pack(RESULTS / "amd-epyc-26-2-operations", tmp_path / "given.zip")
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "mark", *uname[2:])))
    done = dirtyscan("results", "verify", "given.zip")
    assert done.returncode == 0, done.stdout


def test_a_result_of_version_0_1_is_used_packed_as_it_is_plain(
    tmp_path: Path, dirtyscan: Run
) -> None:
    done = dirtyscan("results", "verify", str(OLD))
    assert done.returncode == 0, done.stdout
    assert "pyperf.json.gz: 128 series with their calibrations" in done.stdout
    assert "no samples are with it" not in done.stdout
    assert dirtyscan("results", "pack", str(OLD)).returncode == 0
    given = tmp_path / f"{OLD.name}.zip"
    packed = json.loads(read_pack(given).members["pyperf.json"])
    plain = json.loads(gzip.decompress((OLD / "pyperf.json.gz").read_bytes()))
    assert packed["benchmarks"] == plain["benchmarks"]
    done = dirtyscan("results", "verify", given.name)
    assert done.returncode == 0, done.stdout
    assert "pyperf.json: 128 series with their calibrations" in done.stdout
    done = dirtyscan("history", given.name)
    assert (done.returncode, done.stderr) == (0, "")
    pd.testing.assert_frame_equal(read_history([given]), read_history([OLD]))


def test_what_is_compressed_is_looked_at_like_what_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    suite = json.loads((folder / "pyperf.json").read_text())
    (folder / "pyperf.json").unlink()
    suite["benchmarks"].pop(1)
    suite["metadata"]["hostname"] = "wintermute"
    path = folder / "pyperf.json.gz"
    path.write_bytes(gzip.compress(json.dumps(suite).encode()))
    said = [one.what for one in verify_folder(folder) if one.member == path.name]
    assert any("nothing of cond1-recorded/multi_page/cc-era" in what for what in said)
    assert any("it has 'hostname'" in what for what in said)
    path.write_bytes(path.read_bytes()[:-20])
    faults = [one.what for one in verify_folder(folder) if one.kind is Kind.FAULT]
    assert any("pyperf.json.gz is damaged (" in what for what in faults)
    with pytest.raises(BadInput, match=r"pyperf.json.gz is damaged \("):
        read_member(path)
    path.write_bytes(gzip.compress(bytes(LARGEST_MEMBER + 1), 1))
    with pytest.raises(BadInput, match="has more than 64 MiB unpacked"):
        read_member(path)


def test_only_a_version_that_did_not_watch_the_core_may_lie_further_apart(tmp_path: Path) -> None:
    """Its rounds are 5.7 % from its table at most; a newer one that says so is at fault."""

    def said_of_rounds(folder: Path) -> set[Kind]:
        found = verify_folder(folder)
        return {one.kind for one in found if one.what.startswith("its rounds make ")}

    old = tmp_path / "old"
    shutil.copytree(OLD, old, ignore=shutil.ignore_patterns("plots"))
    assert said_of_rounds(old) == {Kind.REMARK}
    environment = (old / "environment.json").read_text()
    (old / "environment.json").write_text(environment.replace('"0.1.0"', '"0.2.0"', 1))
    assert said_of_rounds(old) == {Kind.FAULT}


def test_what_is_wrong_with_a_pack_is_said_of_the_pack(tmp_path: Path, dirtyscan: Run) -> None:
    """And not of a folder that nobody knows, and that is gone when it is read."""
    environment = json.loads((REFERENCE / "environment.json").read_text())
    del environment["date"]
    contents = {
        "speedups.csv": (REFERENCE / "speedups.csv").read_bytes(),
        "environment.json": json.dumps(environment).encode(),
    }
    _write(tmp_path / "given.zip", contents)
    said = dirtyscan("history", "given.zip").stderr
    assert said == ("dirtyscan: pack given.zip does not say when it was measured; leave it out.\n")
    _write(tmp_path / "given.zip", {**contents, "pyperf.json": b"{}"})
    said = dirtyscan("history", "given.zip").stderr
    assert said.startswith("dirtyscan: given.zip: pyperf.json is damaged (")
    _write(tmp_path / "given.zip", {**contents, "environment.json": b"{}"})
    said = dirtyscan("history", "given.zip").stderr
    assert said.startswith("dirtyscan: given.zip: environment.json is damaged (")
    _write(tmp_path / "given.zip", {"tick.csv": b"a\n1\n"})
    said = dirtyscan("history", "given.zip").stderr
    assert said.startswith("dirtyscan: there are no results in pack given.zip (speedups.csv")


def test_a_pack_that_is_too_large_is_not_written(
    tmp_path: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "LARGEST_PACK", 1 << 16)
    (tmp_path / "mine.zip").write_text("before")
    done = dirtyscan("results", "pack", str(REFERENCE), "-o", "mine.zip")
    assert done.returncode == 2
    assert "takes 0.1 MiB packed, and no pack has more than 0.1 MiB; pack a copy" in done.stderr
    assert "copy of it without snapshots.csv, which takes 0.0 MiB, or measure" in done.stderr
    assert "ask for it anew" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.zip"]
    assert (tmp_path / "mine.zip").read_text() == "before"
    # As it says.
    copy = tmp_path / "copy"
    shutil.copytree(REFERENCE, copy, ignore=shutil.ignore_patterns("plots", "snapshots.csv"))
    assert dirtyscan("results", "pack", "copy").returncode == 0
    monkeypatch.setattr(pack, "LARGEST_PACK", 1 << 10)
    done = dirtyscan("results", "pack", str(RESULTS / "amd-epyc-26-2-operations"))
    assert "pack its folders one by one, or measure fewer variants." in done.stderr


def test_the_archive_of_a_pack_is_as_it_was(tmp_path: Path) -> None:
    """Nothing but the members and what says of them is in it, in one order."""
    write_pack(OLD, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == [
            "pack.json", "environment.json", "pyperf.json", "speedups.csv",
        ]  # fmt: skip
    assert not [one for one in verify_folder(OLD) if one.kind is Kind.FAULT]
