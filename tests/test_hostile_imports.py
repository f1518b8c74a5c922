"""Files that somebody broke, or made to break an import: a trace comes out, or one sentence."""

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from tests.fuzz import fuzz
from tests.test_stream import (
    BLOCK_LIST,
    CONFIGURATION,
    HEADER,
    MEM_SIZE,
    name,
    page,
    part,
    start,
    stream,
    word,
)  # fmt: skip
from workloads.guest import GuestMemory
from workloads.importers.kvm_log import import_kvm_log, memory_of_logs
from workloads.importers.page_list import import_page_list
from workloads.importers.stream import import_stream
from workloads.trace import Trace

MEMORY = GuestMemory(100 * 4096)
NUMBERS = st.sampled_from((0, 1, 12, 63, 64, 2**16, 2**31 - 1, 2**31, 2**32 - 1))
ONE_BLOCK = word(4096, MEM_SIZE) + name("rom") + struct.pack(">Q", 4096)
RECORDS = (
    st.builds(page, st.integers(0, 63), st.sampled_from(("", "", "pc.ram", "rom")), st.booleans())
    | st.builds(word, NUMBERS.map(lambda number: number << 12), st.integers(0, 2**12 - 1))
    | st.sampled_from((BLOCK_LIST, ONE_BLOCK))
)
SUBSECTIONS = st.builds(
    lambda called, numbers: (
        b"\x05" + name(f"configuration/{called}") + struct.pack(f">{len(numbers)}I", *numbers)
    ),
    st.sampled_from(("target-page-bits", "capabilities", "uuid", "other")),
    st.lists(NUMBERS, max_size=6),
)
STREAMS = st.builds(
    lambda subsections, blocks, parts: (
        HEADER + CONFIGURATION + b"".join(subsections) + start(blocks)
        + b"".join(part(page(0, "pc.ram") + b"".join(records)) for records in parts)
        + part(b"", kind=3)
    ),
    st.lists(SUBSECTIONS, max_size=1) | st.just([]),
    st.just(BLOCK_LIST) | st.sampled_from((b"", ONE_BLOCK)),
    st.lists(st.lists(RECORDS, max_size=40), max_size=4),
)  # fmt: skip
PAGE = st.integers(0, 120).map(str) | NUMBERS.map(hex) | st.text("0123456789-xf", max_size=5)
LISTS = st.lists(
    st.lists(PAGE | st.builds("{}-{}".format, PAGE, PAGE)).map(", ".join), max_size=5
).map(lambda lines: "\n".join(lines).encode())


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw one of ``whole``, often with a few bytes replaced, taken out, repeated or put in."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 2))):
        first = draw(st.integers(0, len(data)))
        last = min(len(data), first + draw(st.integers(0, 8)))
        there = bytes(data[first:last])
        data[first:last] = draw(
            st.binary(min_size=len(there), max_size=len(there))
            | st.binary(max_size=12)
            | st.sampled_from((b"", there * 2, there * 1000))
        )
    return bytes(data)


def check(make: Callable[[Path, Path], Trace], data: bytes) -> None:
    """Import ``data``; what comes out must be whole, or one sentence of which nothing is left."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(data)
        try:
            make(source, target).verify()
        except BadInput as error:
            said = str(error)
        else:
            return
        assert said.endswith(".")
        assert "\n" not in said
        assert len(said) < 1000
        assert not target.exists()


def test_a_long_name_is_quoted_in_part() -> None:
    """Of 255 bytes, which may all be such as four characters stand for."""
    name_of_none = part(page(0, "\x01" * 255))
    check(lambda source, target: import_stream(source, target, "a", 2**20), stream(name_of_none))


@fuzz
@given(broken(STREAMS))
def test_a_stream(data: bytes) -> None:
    check(lambda source, target: import_stream(source, target, "a", 2**20), data)


@fuzz
@given(broken(st.binary(min_size=16, max_size=16)))
def test_a_log(data: bytes) -> None:
    check(lambda source, target: import_kvm_log([source], target, "a", MEMORY, 100), data)


@fuzz
@given(broken(st.binary(min_size=16, max_size=16)))
def test_a_log_of_a_guest_of_which_nobody_says_how_large_it_is(data: bytes) -> None:
    def make(source: Path, target: Path) -> Trace:
        return import_kvm_log([source], target, "a", memory_of_logs([source], 4096), 100)

    check(make, data)


@fuzz
@given(broken(LISTS))
def test_a_list(data: bytes) -> None:
    check(lambda source, target: import_page_list(source, target, "a", MEMORY, 100), data)
