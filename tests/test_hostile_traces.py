"""Trace files that somebody made to be hostile: their hashes are right and their content is not."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from tests.conftest import store
from tests.fuzz import fuzz
from tests.test_trace import random_snapshots
from workloads.trace import open_trace

PAGES, SNAPSHOTS = 100, 3


def good_header(path: Path) -> dict[str, Any]:
    store(path, random_snapshots(1, PAGES, SNAPSHOTS))
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read("trace.json")))


def rehash(header: dict[str, Any]) -> bytes:
    """Return ``header`` as text, with the hash that stands for it."""
    fields = {name: value for name, value in header.items() if name != "content_sha256"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return json.dumps({**fields, "content_sha256": digest}).encode()


def with_header(path: Path, text: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**members, "trace.json": text}.items():
            archive.writestr(name, data)


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"snapshots_per_member": 0}, "in snapshots_per_member"),
    ({"snapshots_per_member": "4"}, "in snapshots_per_member"),
    ({"snapshots_per_member": 4.5}, "in snapshots_per_member"),
    ({"snapshots_per_member": float("nan")}, "it is no JSON"),
    ({"snapshots_per_member": -1}, "in snapshots_per_member"),
    ({"snapshots_per_member": 1}, "its 3 snapshots take 3 members"),
    ({"members": []}, "its 3 snapshots take 1 members"),
    ({"members": [["a"]]}, "got array in members"),
    (
        {"members": ["snapshots/00000", "snapshots/00000"], "snapshots_per_member": 2},
        "take 2 members",
    ),
    ({"ticks_ms": [1, 2, 3, 4]}, "it has 4 ticks and 3 counts"),
    ({"ticks_ms": [1, 2]}, "it has 2 ticks and 3 counts"),
    ({"ticks_ms": [], "remaining_pages": [], "members": []}, "in ticks_ms"),
    ({"ticks_ms": [100, 300, 200]}, "not in the order of time"),
    ({"ticks_ms": [100, 200, None]}, "in ticks_ms"),
    ({"ticks_ms": [100, 200, float("inf")]}, "it is no JSON"),
    ({"ticks_ms": [100, 200, 10**400]}, "in ticks_ms"),
    ({"ticks_ms": [-100, 200, 300]}, "in ticks_ms"),
    ({"remaining_pages": [1, 2, PAGES + 1]}, "more dirty pages than the 100 of the guest"),
    ({"parameters": {"a": {}}}, "missing required field value"),
    ({"parameters": {"a": 5}}, "in parameters"),
    ({"parameters": []}, "in parameters"),
    ({"condition": [1]}, "in condition"),
    ({"condition": {}}, "in condition"),
    ({"condition": ""}, "a trace cannot be called ''"),
    ({"name": 5}, "in name"),
    ({"name": None}, "in name"),
    ({"name": ""}, "a trace cannot be called ''"),
    ({"name": "x" * 100_000}, "a trace cannot be called 'xxxx"),
    ({"name": "a\x1b[31mb"}, r"a trace cannot be called 'a\x1b[31mb'"),
    ({"name": "\ud800"}, "it is no JSON"),
    ({"origin": "hostile"}, "Invalid enum value 'hostile' in origin"),
    ({"origin": "/../../../x"}, "in origin"),
    ({"origin": None}, "in origin"),
    ({"guest_memory_bytes": -4096}, "guest memory of -4096 bytes cannot be used"),
    ({"guest_memory_bytes": 0}, "guest memory of 0 bytes cannot be used"),
    ({"guest_memory_bytes": True}, "in guest_memory_bytes"),
    ({"guest_memory_bytes": 2**80}, "is 295147905179352825856 pages"),
    ({"guest_memory_bytes": 8192 * PAGES}, "its bitmaps of 13 bytes are not those of 200 pages"),
    ({"page_size_bytes": 0}, "a page size of 0 bytes cannot be used"),
    ({"bitmap_bytes": 0}, "in bitmap_bytes"),
    ({"bitmap_bytes": 2**40}, "are not those of 100 pages"),
    ({"bitmaps_sha256": "x"}, "in bitmaps_sha256"),
    ({"format": 5}, "in format"),
    ({"version": "1"}, "in version"),
]


@pytest.mark.parametrize(("changes", "says"), CHANGES, ids=[str(c)[:50] for c, _ in CHANGES])
def test_a_header_is_checked_as_a_whole(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    with_header(path, rehash({**good_header(path), **changes}))
    with pytest.raises(BadInput) as caught:
        open_trace(path)
    assert str(caught.value).startswith(f"trace {path} is damaged: ")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_header_that_is_deep_or_no_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    whole = rehash(good_header(path)).decode()
    deep = "[" * 200_000
    for text in (deep, whole.replace('"parameters": {}', f'"parameters": {{"a": {deep}'), "5", ""):
        assert text != whole
        with_header(path, text.encode())
        with pytest.raises(BadInput, match="its header cannot be read"):
            open_trace(path)


def larger_than_it_says(name: str, by: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        members[name] += bytes(by)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)

    return make


@pytest.mark.parametrize("name", ["trace.json", "snapshots/00000"])
def test_a_member_that_would_inflate_is_refused_before_it_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.trace"
    good_header(path)
    larger_than_it_says(name, 2**27)(path)
    read = zipfile.ZipFile.read

    def read_few(archive: zipfile.ZipFile, member: str, *more: Any) -> bytes:
        assert archive.getinfo(member).file_size < 2**20, "it has been read"
        return read(archive, member, *more)

    monkeypatch.setattr(zipfile.ZipFile, "read", read_few)
    with pytest.raises(BadInput, match="is larger than"):
        open_trace(path).verify()


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(BadInput, match="is no file; name a trace file"):
            open_trace(path)
    with pytest.raises(BadInput, match="cannot be opened"):
        open_trace(tmp_path / "none")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["cond1", "captured", "snapshots/00000", "[/b]", "$\\frac{x$", "\x1b[31m"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
FIELDS = (
    *("format", "version", "name", "origin", "condition", "guest_memory_bytes", "page_size_bytes"),
    *("bitmap_bytes", "parameters", "ticks_ms", "remaining_pages", "members"),
    *("snapshots_per_member", "bitmaps_sha256"),
)


@fuzz
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3))
def test_no_header_ends_in_anything_but_a_trace_or_a_sentence(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.trace"
    if not path.exists():
        good_header(path)
        path.with_suffix(".good").write_bytes(path.read_bytes())
    path.write_bytes(path.with_suffix(".good").read_bytes())
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("trace.json"))
    with_header(path, rehash({**header, **changes}))
    try:
        trace = open_trace(path)
    except BadInput:
        return
    assert len(trace.ticks_ms) == len(trace.remaining)
    assert trace.bitmap_bytes == -(-trace.source.memory.pages // 8)
    try:
        trace.verify()
    except BadInput:
        return
    assert len(list(trace.bitmaps())) == len(trace)
