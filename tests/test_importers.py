"""Imported traces, from files whose maps are known."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.test_stream import page, part, stream
from workloads.errors import BadInput
from workloads.guest import GuestMemory
from workloads.importers import import_kvm_log, import_page_list, import_stream
from workloads.trace import Trace

MEMORY = GuestMemory(100 * 4096)


def maps(trace: Trace) -> list[list[int]]:
    trace.verify()
    pages = trace.source.memory.pages
    return [
        np.flatnonzero(np.unpackbits(bitmap, count=pages, bitorder="little")).tolist()
        for bitmap in trace.bitmaps()
    ]


def test_a_saved_stream(tmp_path: Path) -> None:
    """All 64 pages, then pages 10 to 19, at a rate of 20 pages a tick."""
    first = page(0, "pc.ram") + b"".join(page(n) for n in range(1, 64))
    saved = tmp_path / "saved"
    saved.write_bytes(stream(part(first), part(b"".join(map(page, range(10, 20))), kind=3)))
    trace = import_stream(saved, tmp_path / "t", "mine", bandwidth=20 * 4104 * 10)
    assert trace.source.origin == "imported"
    assert trace.source.memory.pages == 64
    everything = list(range(64))
    assert maps(trace) == [everything[20:], everything[40:], everything[60:], []]
    assert trace.ticks_ms == (100, 200, 300, 400)


def test_a_kvm_log_in_one_file_or_in_many(tmp_path: Path) -> None:
    words = np.zeros((3, 2), dtype="<u8")
    words[0] = [1 << 63 | 1, 1]  # pages 0, 63 and 64
    words[2] = [0, 1 << 35]  # page 99, the last of 100
    expected = [[0, 63, 64], [], [99]]
    one = tmp_path / "log"
    one.write_bytes(words.tobytes())
    assert maps(import_kvm_log([one], tmp_path / "t1", "a", MEMORY, 50)) == expected
    many = []
    for number, log in enumerate(words):
        many.append(tmp_path / f"log{number}")
        many[-1].write_bytes(log.tobytes())
    trace = import_kvm_log(many, tmp_path / "t2", "a", MEMORY, 50)
    assert maps(trace) == expected
    assert trace.ticks_ms == (50, 100, 150)


def test_a_kvm_log_of_another_guest_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(17))
    with pytest.raises(BadInput, match="is 17 bytes long, and a dirty log of 100 pages is 16"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    log.write_bytes(b"\xff" * 16)
    with pytest.raises(BadInput, match="a page dirty that is not in guest memory"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    assert not (tmp_path / "t").exists()


def test_a_page_list(tmp_path: Path) -> None:
    text = tmp_path / "pages.txt"
    text.write_text("# all numbers are pages\n1 2 0x10\n\n5-8, 3  # a range\n99\n")
    trace = import_page_list(text, tmp_path / "t", "a", MEMORY, 100)
    assert maps(trace) == [[1, 2, 16], [], [3, 5, 6, 7, 8], [99]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 two", "line 2: 'two' is not a page number"),
        ("100", "line 2: '100' is not in a guest of 100 pages"),
        ("8-5", "line 2: '8-5' is not in a guest"),
        ("-1", "line 2: '-1' is not a page number"),
    ],
)
def test_a_page_list_that_is_wrong_is_refused(line: str, says: str, tmp_path: Path) -> None:
    text = tmp_path / "pages.txt"
    text.write_text(f"1\n{line}\n")
    with pytest.raises(BadInput, match=says):
        import_page_list(text, tmp_path / "t", "a", MEMORY, 100)


def test_the_command(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text("1 2 3\n4-40\n")
    made = dirtyscan("trace", "import", "page-list", "pages.txt", "--guest-memory", "1MiB")
    assert made.returncode == 0, made.stderr
    info = dirtyscan("trace", "info", "traces/pages.trace")
    assert "origin" in info.stdout
    assert "3 to 37 dirty pages" in info.stdout
    bench = dirtyscan("bench", "--trace", "traces/pages.trace", "--precision", "50%")
    assert bench.returncode == 0, bench.stderr
    assert "pages imported" in bench.stdout
    other = dirtyscan("trace", "import", "stream", "pages.txt")
    assert other.returncode == 2
    assert "does not begin with QEVM" in other.stderr
