"""Packs of whoever wrote them: hostile or damaged, each is refused by a sentence."""

import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.results import pack
from harness.results.pack import MANIFEST, read_pack, write_pack
from harness.results.verify import verify_folder
from tests.conftest import Run
from tests.fuzz import fuzz
from tests.test_packs import PLAIN, REFERENCE, _contents, _manifest, _write

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
