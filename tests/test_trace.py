"""Trace files: what goes in comes out, and what is damaged is refused."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.base.errors import BadInput
from tests.conftest import store
from workloads.trace import open_trace

ROOT = Path(__file__).parent.parent


def random_snapshots(seed: int, pages: int, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.random(pages) < random.random() for _ in range(count)]


@given(pages=st.integers(64, 700), count=st.integers(1, 150), seed=st.integers(0, 2**32))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_goes_in_comes_out(pages: int, count: int, seed: int, tmp_path: Path) -> None:
    snapshots = random_snapshots(seed, pages, count)
    trace = store(tmp_path / "a.trace", snapshots, page_size=8192)
    trace.verify()
    assert trace.source.memory.pages == pages
    assert trace.source.memory.page_size == 8192
    assert trace.ticks_ms == tuple(100 * (i + 1) for i in range(count))
    assert trace.remaining == tuple(int(s.sum()) for s in snapshots)
    found = [np.unpackbits(b, count=pages, bitorder="little") for b in trace.bitmaps()]
    assert np.array_equal(found, snapshots)
    chosen = sorted({0, count // 2, count - 1})
    some = [np.unpackbits(b, count=pages, bitorder="little") for b in trace.bitmaps(chosen)]
    assert np.array_equal(some, [snapshots[i] for i in chosen])


def test_a_damaged_file_is_refused_wherever_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    store(path, random_snapshots(1, 500, 20))
    whole = path.read_bytes()
    content = open_trace(path).content_hash
    random = np.random.default_rng(2)
    for place in sorted({*random.integers(0, len(whole), 300).tolist()}):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            trace = open_trace(path)
            trace.verify()
        except BadInput:
            continue
        # A bit of the archive that means nothing, such as a time stamp: the trace is the same.
        assert trace.content_hash == content


@pytest.mark.parametrize("length", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(length: float, tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    store(path, random_snapshots(1, 500, 20))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(length * len(whole)) if isinstance(length, float) else length])
    with pytest.raises(BadInput, match=r"a\.trace is damaged: it is truncated"):
        open_trace(path)


def rewrite_header(path: Path, **changes: object) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["trace.json"] = json.dumps({**json.loads(members["trace.json"]), **changes}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "format version 2"),
        ({"format": "other"}, "something else"),
        ({"origin": "captured"}, "does not match its hash"),
        ({"ticks_ms": [1, 2, 3]}, "does not match its hash"),
        ({"guest_memory_bytes": "many"}, "cannot be read"),
        ({"parameters": {"seed": {"value": 3, "unit": ""}}}, "does not match its hash"),
    ],
)
def test_a_changed_header_is_refused(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    store(path, random_snapshots(1, 100, 3))
    rewrite_header(path, **changes)
    with pytest.raises(BadInput, match=says):
        open_trace(path)


def test_opening_does_not_read_the_snapshots(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    store(path, random_snapshots(1, 100, 3))
    with zipfile.ZipFile(path) as archive:
        header = archive.read("trace.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trace.json", header)
    trace = open_trace(path)
    assert len(trace) == 3
    with pytest.raises(BadInput, match="missing or broken"):
        trace.verify()


def test_a_failing_writer_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    before = store(path, random_snapshots(1, 100, 3))
    with pytest.raises(ValueError, match="5 pages is not of this guest"):
        store(path, [*random_snapshots(1, 100, 3), np.ones(5, dtype=bool)])
    assert open_trace(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.trace"]


def test_the_reader_in_the_documentation_reads_a_trace(tmp_path: Path) -> None:
    """It is run by a Python that has neither numpy nor dirtyscan."""
    text = (ROOT / "docs" / "trace-format.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    snapshots = random_snapshots(3, 333, 70)
    store(tmp_path / "cond1.trace", snapshots)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code.group(1)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [f"{(i + 1) * 100} ms: {s.sum()} dirty pages" for i, s in enumerate(snapshots)]
    assert done.stdout.splitlines() == expected
