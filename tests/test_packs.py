"""A result that is given: packed without what is private, and read without trust."""

import getpass
import hashlib
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.results import pack, private
from harness.results.found import Kind
from harness.results.members import members_of
from harness.results.pack import MANIFEST, read_pack, write_pack
from harness.results.private import find_private, scrub
from harness.results.result import SPEEDUPS, read_table
from harness.results.verify import verify_folder
from tests.conftest import Run
from tests.fuzz import fuzz

RESULTS = Path(__file__).parent.parent / "results"
STORED = sorted(path for path in RESULTS.iterdir() if path.is_dir())
REFERENCE = RESULTS / "amd-epyc-26-2"
PLAIN = RESULTS / "amd-epyc-26-2-tick"  # the smallest, with nothing private in it


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


Change = Callable[[zipfile.ZipFile], None]


def _add(name: str, data: bytes = b"a,b\n1,2\n", mode: int = 0) -> Change:
    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.filename = name  # with a NUL too, at which what makes one stops
        info.external_attr = mode << 16
        archive.writestr(info, data)

    return add


def _bomb(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("bomb.csv")
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as file:
        for _ in range(65):
            file.write(bytes(1 << 20))


def _encrypted(archive: zipfile.ZipFile) -> None:
    archive.writestr("secret.csv", b"a\n1\n")
    archive.getinfo("secret.csv").flag_bits |= 1


def _by_bzip2(archive: zipfile.ZipFile) -> None:
    archive.writestr("other.csv", b"a\n1\n", zipfile.ZIP_BZIP2)


def _many(archive: zipfile.ZipFile) -> None:
    for number in range(300):
        archive.writestr(f"{number}.csv", b"a\n1\n")


HOSTILE: dict[str, tuple[Change, str]] = {
    "traversal": (_add("../tick.csv"), "'../tick.csv' that is neither"),
    "deep traversal": (_add("a/../../x.csv"), "that is neither"),
    "absolute": (_add("/etc/x.csv"), "'/etc/x.csv' that is neither"),
    "backslash": (_add("..\\x.csv"), "that is neither"),
    "NUL": (_add("x.csv\0.png"), "that is neither"),
    "hidden": (_add(".x.csv"), "that is neither"),
    "folder": (_add("plots/", b""), "'plots/' that is neither"),
    "program": (_add("plots/x.svg"), "'plots/x.svg' that is neither"),
    "link": (_add("x.csv", b"/etc/passwd", stat.S_IFLNK | 0o777), "'x.csv' that is no file"),
    "device": (_add("x.csv", b"", stat.S_IFCHR), "'x.csv' that is no file"),
    "twice": (_add("tick.csv"), "'tick.csv' that is there twice"),
    "twice but for case": (_add("TICK.csv"), "'TICK.csv' that is there twice"),
    "unknown": (_add("more.csv"), "more.csv of which pack.json does not know"),
    "bomb": (_bomb, "'bomb.csv' that takes 65 MiB unpacked"),
    "encrypted": (_encrypted, "'secret.csv' that is encrypted"),
    "another compression": (_by_bzip2, "'other.csv' that is compressed in a way"),
    "many": (_many, "has 303 members"),
}


@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_member_is_named_and_nothing_is_written(
    how: str, tmp_path: Path, dirtyscan: Run
) -> None:
    change, said = HOSTILE[how]
    path = tmp_path / "given.zip"
    _write(path, _contents(PLAIN))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        change(archive)
    for action in ("verify", "unpack"):
        done = dirtyscan("results", action, "given.zip")
        assert done.returncode == 2
        assert done.stderr.startswith("dirtyscan: pack given.zip has ")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()
    assert [one.name for one in tmp_path.iterdir()] == ["given.zip"]


def test_a_member_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    """The central directory says 10 bytes, and the stream goes on for a gigabyte."""
    path = tmp_path / "given.zip"
    contents = {**_contents(PLAIN), "tick.csv": bytes(30 << 20)}
    _write(path, contents)
    data = bytearray(path.read_bytes())
    for size in ((30 << 20).to_bytes(4, "little"),):
        while (place := data.find(size)) >= 0:
            data[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"a damaged member tick.csv \(Bad CRC"):
        read_pack(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "is of schema 2, and this dirtyscan reads up to 1"),
        ({"schema": 10**400}, "has a damaged member pack.json"),
        ({"schema": "1"}, "has a damaged member pack.json"),
        ({"name": "../x"}, "has a damaged member pack.json"),
        ({"members": {}}, "has a damaged member pack.json"),
        ({"members": {"tick.csv": {"sha256": "0" * 64, "bytes": 10**30}}}, "has a damaged member"),
        (
            {"members": {"gone.csv": {"sha256": "0" * 64, "bytes": 1}}},
            "lacks the member 'gone.csv'",
        ),
    ],
    ids=str,
)
def test_a_manifest_that_is_wrong(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    _write(tmp_path / "given.zip", _contents(PLAIN), **changes)
    with pytest.raises(BadInput) as refused:
        read_pack(tmp_path / "given.zip")
    assert said in str(refused.value)


def test_a_member_that_was_changed_is_named(tmp_path: Path, dirtyscan: Run) -> None:
    contents = _contents(PLAIN)
    changed = {**contents, "tick.csv": contents["tick.csv"].replace(b"1", b"2", 1)}
    with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
        for name, data in {MANIFEST: _manifest(contents), **changed}.items():
            archive.writestr(name, data)
    done = dirtyscan("results", "verify", "given.zip", str(PLAIN))
    assert done.returncode == 2
    assert "has a member tick.csv that is not what pack.json says it was" in done.stderr
    assert f"{PLAIN}: it holds" in done.stdout  # the next is looked at all the same


def test_what_is_no_pack_is_said(tmp_path: Path, dirtyscan: Run) -> None:
    (tmp_path / "text.zip").write_text("hello")
    assert "pack text.zip is no archive" in dirtyscan("results", "verify", "text.zip").stderr
    assert dirtyscan("results", "verify", "nowhere").returncode == 2
    (tmp_path / "empty").mkdir()
    assert "there is no table" in dirtyscan("results", "verify", "empty").stderr
    assert "there is no" in dirtyscan("results", "pack", "empty").stderr
    with (tmp_path / "large.zip").open("wb") as file:
        file.truncate(pack.LARGEST_PACK + 1)
    assert "has 16 MiB, and none" in dirtyscan("results", "verify", "large.zip").stderr
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "x.csv").symlink_to("/etc/passwd")
    assert "is a link" in dirtyscan("results", "pack", "linked").stderr


@fuzz
@given(place=st.floats(0, 1, exclude_max=True), replaced=st.binary(max_size=8), cut=st.booleans())
def test_a_flipped_bit_ends_in_the_same_members_or_a_sentence(
    place: float, replaced: bytes, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "packs"
    whole = folder / "whole.zip"
    if not whole.exists():
        folder.mkdir(exist_ok=True)
        write_pack(PLAIN, whole)
    data = whole.read_bytes()
    at = int(place * len(data))
    (folder / "bent.zip").write_bytes(data[:at] + replaced + (b"" if cut else data[at + 4 :]))
    try:
        read = read_pack(folder / "bent.zip")
    except BadInput as error:
        refused = str(error)
    else:
        refused = ""
        assert read.members == _contents(PLAIN)
    assert len(refused.splitlines()) <= 1
    assert len(refused) < 500


NAMES = st.one_of(
    st.sampled_from(["tick.csv", "environment.json", "speedups.csv", "a/b.csv", "../x.csv", "/x"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
)
CONTENTS = st.one_of(
    st.binary(max_size=50),
    st.sampled_from([b"a,b\n1,1e999\n", b"{}", b"[" * 5000, b'{"a": 1e400}', b"9" * 5000,
                     b"speedup,speedup_low,speedup_high\nx,1,2\n", b"seconds\n-1\n",
                     b"speedup,speedup_low,speedup_high\n3,1,2\n", b"b_seconds\n\n1e30\nx",
                     b"evidence,extra_work,outcome\na,b,c\n"]),
    st.just((REFERENCE / "speedups.csv").read_bytes()),
)  # fmt: skip


@fuzz
@given(members=st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=4))
def test_no_archive_ends_in_anything_but_an_answer_or_a_sentence(
    members: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "archives"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _write(folder / "given.zip", members)
    try:
        read = read_pack(folder / "given.zip")
        read.write(folder / "out")
        answer = list(verify_folder(folder / "out"))
    except BadInput as error:
        refused = str(error)
    else:
        refused = ""
        assert answer
        assert {path.name for path in folder.rglob("*.*")} >= {Path(name).name for name in members}
    assert len(refused.splitlines()) <= 1


def _cell(name: str, column: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rows = pd.read_csv(folder / name, keep_default_na=False, dtype=str)
        rows.loc[0, column] = str(value)
        rows.to_csv(folder / name, index=False)

    return change


def _column(
    name: str, column: str, change: Callable[["pd.Series[str]"], "pd.Series[Any] | str"]
) -> Callable[[Path], None]:
    """Change all of a column, which stays text where it is not made another."""

    def changed(folder: Path) -> None:
        rows = pd.read_csv(folder / name, keep_default_na=False, dtype=str)
        rows[column] = change(rows[column])
        rows.to_csv(folder / name, index=False)

    return changed


def _ten_times_as_fast(folder: Path) -> None:
    rows = pd.read_csv(folder / "snapshots.csv")
    rows.loc[rows["variant"] == "multi_page", "seconds"] /= 10
    rows.to_csv(folder / "snapshots.csv", index=False)


def _layout(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "environment.json").read_text())
        document["layout"] |= changes
        (folder / "environment.json").write_text(json.dumps(document))

    return change


def _pyperf(change: Callable[[Any], object]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        document = json.loads((folder / "pyperf.json").read_text())
        change(document)
        (folder / "pyperf.json").write_text(json.dumps(document))

    return changed


def _without_rows(name: str) -> Callable[[Path], None]:
    return lambda folder: pd.read_csv(folder / name).iloc[1:].to_csv(folder / name, index=False)


FIRST = read_table(RESULTS / "amd-epyc-26-2", SPEEDUPS).iloc[0]
"""A row of what is made wrong below."""
INSIDE = (FIRST["speedup"] + FIRST["speedup_low"]) / 2
MADE = f"processes.csv: they make {FIRST['speedup']:.6g}"
WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "a speedup": (_cell("speedups.csv", "speedup", INSIDE), MADE),
    "an interval": (_cell("speedups.csv", "speedup_low", INSIDE), MADE),
    "processes": (
        _cell("speedups.csv", "processes", 60),
        f"has 60 processes and the plan {FIRST['processes']}",
    ),
    "a process is gone": (
        _without_rows("processes.csv"),
        f"{FIRST['processes'] - 1} processes of multi_page on cond1",
    ),
    "a process is another": (_cell("processes.csv", "speedup", 12.0), "processes.csv: they make"),
    "a call is gone": (
        _without_rows("snapshots.csv"),
        f"snapshots.csv: {FIRST['snapshots']} calls of multi_page",
    ),
    "a call is slower": (_cell("snapshots.csv", "seconds", 1.0), "its original's calls take"),
    "precision": (_layout(precision=0.0001), "is called precise"),
    "rounds": (_layout(rounds=5), "pyperf.json: cond1-recorded/page_by_page/cc-era has [3] rounds"),
    "another trace": (_layout(traces={"cond1-recorded": "ab"}), "measured on another trace"),
    "no calibration": (
        _pyperf(lambda suite: suite["benchmarks"][0]["runs"].pop(0)),
        "has 0 calibrations",
    ),
    "a series is gone": (
        _pyperf(lambda suite: suite["benchmarks"].pop(1)),
        "nothing of cond1-recorded/multi_page/cc-era",
    ),
    "huge seconds": (
        _pyperf(lambda suite: suite["benchmarks"][1]["runs"][1].update(values=[1e300] * 3)),
        "pyperf.json is damaged",
    ),
    "a variant was faster": (
        _pyperf(lambda suite: [run.update(values=[value / 2 for value in run.get("values", ())])
                               for run in suite["benchmarks"][1]["runs"]]),
        "pyperf.json: its rounds make",
    ),
    "the variants' seconds": (
        _column("speedups.csv", "variant_seconds", lambda seconds: seconds.astype(float) / 10),
        "multi_page (cc-era) on cond1 recorded takes",
    ),
    "a digit of a variant's seconds": (
        _cell("speedups.csv", "variant_seconds", FIRST["variant_seconds"] * 1.0000001),
        "multi_page (cc-era) on cond1 recorded takes",
    ),
    "seconds of a variant's calls": (
        _ten_times_as_fast,
        "snapshots.csv: calls of multi_page on cond1-recorded take",
    ),
    "verdicts": (
        _column("speedups.csv", "verdict", lambda verdict: "reproduced"),
        "on cond1 recorded is 'reproduced', and its figures make 'weaker'",
    ),
    "a verdict without a claim": (
        _column("speedups.csv", "verdict", lambda verdict: verdict.replace("", "weaker")),
        "page_by_page again (cc-era) on cond1 recorded has a verdict, 'weaker', and no claim",
    ),
    "a claim": (
        _cell("speedups.csv", "claim_low", 6),
        "letter-cond1 on cond1 recorded is said to claim 6 to 16, and claims 8 to 16",
    ),
    "calls within": (
        _cell("speedups.csv", "calls_within", 0.5),
        "calls_within of multi_page (cc-era) on cond1 recorded is 0.5, and its calls make 0.04",
    ),
    "nine tenths of calls": (_cell("speedups.csv", "calls_high", 9), "calls_high of multi_page"),
}  # fmt: skip


def test_rounds_of_a_result_without_a_plan_are_as_many_in_each_process(
    tmp_path: Path, dirtyscan: Run
) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    for name in ("speedups.csv", "pyperf.json"):
        shutil.copy(REFERENCE / name, folder)
    assert dirtyscan("results", "verify", "result").returncode == 0
    _pyperf(lambda suite: suite["benchmarks"][0]["runs"][1]["values"].pop())(folder)
    done = dirtyscan("results", "verify", "result", str(PLAIN))
    assert (done.returncode, done.stderr) == (1, "")
    name = "cond1-recorded/page_by_page/cc-era"
    assert f"pyperf.json: {name} has [2, 3] rounds a process, and every" in done.stdout
    assert f"{PLAIN}: it holds" in done.stdout  # the next is looked at all the same


def test_where_calls_were_interrupted_their_sums_are_others_and_it_is_said(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    WRONG["a variant was faster"][0](folder)
    document = json.loads((folder / "environment.json").read_text())
    document["machine"]["disturbed"] = ["other programs kept 1.74 CPUs busy"]
    (folder / "environment.json").write_text(json.dumps(document))
    found = [one for one in verify_folder(folder) if "its rounds make" in one.what]
    assert [one.kind for one in found] == [Kind.REMARK]


@pytest.mark.parametrize("how", WRONG)
def test_what_contradicts_itself_is_found(how: str, tmp_path: Path, dirtyscan: Run) -> None:
    change, said = WRONG[how]
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    change(folder)
    done = dirtyscan("results", "verify", "result")
    assert done.returncode == 1, done
    assert said in done.stdout
    assert dirtyscan("results", "pack", "result").returncode == 2  # nor is it given on


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speedup,speedup_low,speedup_high\n3,1,2\n", "row 1: its speedup is not in its interval"),
        ("quiet_speedup,quiet_low,quiet_high\n3,3,2\n", "its quiet_speedup is not in its interval"),
        ("quiet_speedup,quiet_low,quiet_high\n3,3,x\n", "a value of quiet_high is no number"),
        ("speedup,speedup_low,speedup_high\n3,x,4\n", "a value of speedup_low is no number"),
        ("seconds\n-1\n", "a value of seconds is below 0"),
        ("pages\n1e30\n", "a value of pages is no number that is measured"),
        ("evidence,extra_work,outcome\na,b,c\n", "it does not say by how much"),
        ("a,b\n", "it has no rows"),
    ],
)
def test_a_table_of_a_study_that_cannot_be_right(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_text(text)
    faults = [one for one in verify_folder(tmp_path) if one.kind is Kind.FAULT]
    assert [one.member for one in faults] == ["study.csv"]
    assert said in faults[0].what


def test_what_a_gate_missed_is_said(tmp_path: Path) -> None:
    text = "evidence,extra_work,outcome\na,0.02,unchanged\na,0.02,slower\na,0,slower\n"
    (tmp_path / "calibration.csv").write_text(text)
    said = [one.what for one in verify_folder(tmp_path) if one.kind is Kind.REMARK]
    assert "1 of 1 gates called slower what is unchanged" in said
    assert "1 of 2 gates missed what is 2% slower" in said


def test_a_noise_floor_that_is_not_1_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    rows = pd.read_csv(REFERENCE / "speedups.csv", keep_default_na=False)
    floors = rows["noise_floor"].astype(str) == "True"
    rows.loc[floors, ["speedup", "speedup_low", "speedup_high"]] = (1.1, 1.09, 1.11)
    rows.to_csv(folder / "speedups.csv", index=False)
    said = [one.what for one in verify_folder(folder) if one.kind is Kind.REMARK]
    assert sum("the noise floor on cond1 recorded (cc-era) is 1.1000" in what for what in said) == 1
