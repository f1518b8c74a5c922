"""A result that is given: packed without what is private."""

import getpass
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.results import private
from harness.results.found import Kind
from harness.results.members import members_of
from harness.results.pack import MANIFEST, read_pack, write_pack
from harness.results.private import find_private, scrub
from harness.results.verify import verify_folder
from tests.conftest import Run
from tests.fuzz import fuzz

RESULTS = Path(__file__).parent.parent / "results"
STORED = sorted(path for path in RESULTS.iterdir() if path.is_dir())
REFERENCE = RESULTS / "amd-epyc-26-2"
PLAIN = RESULTS / "amd-epyc-26-2-tick"  # the smallest, with nothing private in it


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in members_of(folder)}


def _manifest(contents: Mapping[str, bytes], **changes: object) -> bytes:
    members = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in contents.items()
    }
    about = {"schema": 1, "dirtyscan": "0.2.0", "name": "given", "members": members, **changes}
    return json.dumps(about).encode()


def _write(path: Path, contents: Mapping[str, bytes], **changes: object) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {MANIFEST: _manifest(contents, **changes), **contents}.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("folder", STORED, ids=lambda path: path.name)
def test_every_committed_result_holds_and_can_be_given(
    folder: Path, dirtyscan: Run, tmp_path: Path
) -> None:
    assert not [one for one in verify_folder(folder) if one.kind is Kind.FAULT]
    done = dirtyscan("results", "pack", str(folder))
    assert done.returncode == 0, done.stderr
    given_file = tmp_path / f"{folder.name}.zip"
    done = dirtyscan("results", "verify", str(given_file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "it holds" in done.stdout
    assert dirtyscan("results", "unpack", str(given_file)).returncode == 0
    unpacked = tmp_path / "results" / folder.name
    for member in members_of(folder):
        there = unpacked / member.relative_to(folder)
        if not find_private(member.name, member.read_bytes()):
            assert there.read_bytes() == member.read_bytes()
    again = tmp_path / "again" / given_file.name
    write_pack(unpacked, again)
    assert again.read_bytes() == given_file.read_bytes()
    assert dirtyscan("results", "unpack", str(given_file)).returncode == 2  # it is there already


def test_what_is_called_by_one_name_is_one_file_of_any_day(tmp_path: Path) -> None:
    copy = tmp_path / PLAIN.name
    shutil.copytree(PLAIN, copy)
    for path in copy.iterdir():
        os.utime(path, (1, 1))
    write_pack(PLAIN, tmp_path / "a" / "x.zip")
    write_pack(copy, tmp_path / "b" / "x.zip")
    assert (tmp_path / "a" / "x.zip").read_bytes() == (tmp_path / "b" / "x.zip").read_bytes()
    assert read_pack(tmp_path / "a" / "x.zip").manifest.name == "x"
    with pytest.raises(BadInput, match="cannot be the name of a result"):
        write_pack(PLAIN, tmp_path / "a b.zip")


SECRETS = ("wintermute", "case", "/home/case", "/opt/secret", "/mnt/x y", "maelcum")


def test_no_member_names_the_machine_its_user_or_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dirtyscan: Run
) -> None:
    """Whatever of them has found its way into a sentence, a flag, a name or a cell."""
    uname = os.uname()
    host = os.uname_result(("Linux", "wintermute.local", *tuple(uname)[2:]))
    monkeypatch.setattr(os, "uname", lambda: host)
    monkeypatch.setattr(getpass, "getuser", lambda: "case")
    monkeypatch.setenv("HOME", "/home/case")
    folder = tmp_path / "private"
    shutil.copytree(REFERENCE, folder)
    environment = json.loads((folder / "environment.json").read_text())
    environment["layout"]["left_out"] = [
        "mine, /home/case/src/mine.c does not compile on wintermute"
    ]
    environment["layout"]["unvaried"] = ["'/opt/secret/lib/mine.so' and ~maelcum/lib.so, of case"]
    environment["toolchains"][0]["flags"] += ["-I/home/case/include", "-isystem/opt/secret/x"]
    environment["packages"]["/home/case/wheel"] = "1"
    (folder / "environment.json").write_text(json.dumps(environment))
    suite = json.loads((folder / "pyperf.json").read_text())
    suite["metadata"] |= {"hostname": "wintermute", "python_executable": "/home/case/bin/python"}
    suite["benchmarks"][0]["runs"][0]["metadata"]["hostname"] = "wintermute"
    (folder / "pyperf.json").write_text(json.dumps(suite))
    rows = pd.read_csv(folder / "speedups.csv", keep_default_na=False)
    rows["remark"] = "as on wintermute, in /home/case/notes"
    rows.to_csv(folder / "speedups.csv", index=False)
    done = dirtyscan("results", "pack", str(folder))
    assert done.returncode == 0, done.stderr
    members = read_pack(tmp_path / "private.zip").members
    for name, content in members.items():
        text = content.decode()
        for secret in SECRETS:
            assert secret not in text, (name, secret)
        for key in private.PRIVATE:
            assert f'"{key}"' not in text
    clean = json.loads(members["environment.json"])
    assert clean["layout"]["left_out"] == ["mine, mine.c does not compile on somebody"]
    assert clean["toolchains"][0]["flags"][-2:] == ["-Iinclude", "-isystemx"]
    # And what says something of the measurement is there.
    assert clean["cpu"] == environment["cpu"]
    assert dirtyscan("results", "verify", str(tmp_path / "private.zip")).returncode == 0


def test_what_a_run_keeps_and_has_begun_is_no_part_of_its_result(
    tmp_path: Path, dirtyscan: Run
) -> None:
    folder = tmp_path / "result"
    shutil.copytree(PLAIN, folder)
    for name in ("samples", "traces", "unfinished", "unfinished-20261128-010203", ".finished"):
        (folder / name).mkdir()
        (folder / name / "plan.json").write_text('{"host": "wintermute"}')
    assert dirtyscan("results", "pack", "result").returncode == 0
    assert set(read_pack(tmp_path / "result.zip").members) == {"environment.json", "tick.csv"}


def test_a_machine_that_is_called_like_a_word_of_the_result_makes_no_damaged_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dirtyscan: Run
) -> None:
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "captured", *uname[2:])))
    done = dirtyscan("results", "pack", str(REFERENCE))
    assert done.returncode == 2
    assert "does not hold any more" in done.stderr
    assert not list(tmp_path.glob("*.zip"))


def test_a_pack_with_something_private_is_refused(tmp_path: Path, dirtyscan: Run) -> None:
    document = json.loads((PLAIN / "environment.json").read_text())
    document["layout"]["left_out"] = ["/home/case/mine.c"]
    contents = {**_contents(PLAIN), "environment.json": json.dumps(document).encode()}
    _write(tmp_path / "given.zip", contents)
    done = dirtyscan("results", "verify", "given.zip")
    assert done.returncode == 1
    assert "environment.json: it has '/home/case/mine.c'" in done.stdout


@fuzz
@given(text=st.text(), words=st.lists(st.text("abc/.-", min_size=2), max_size=3))
def test_what_was_scrubbed_is_clean_and_stays_as_it_is(text: str, words: list[str]) -> None:
    data = json.dumps({text: [text]}).encode()
    once = scrub("any.json", data)
    assert not find_private("any.json", once)
    assert scrub("any.json", once) == once
    try:
        table = text.encode()
    except UnicodeEncodeError:
        return
    assert not find_private("any.csv", scrub("any.csv", table))
