"""The decoder on streams made by hand: every record, every place to be cut off, and any bytes."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from tests.fuzz import fuzz
from workloads.capture.stream import StreamDecoder

PAGE, ZERO, CONTINUE, EOS, MEM_SIZE = 0x08, 0x02, 0x20, 0x10, 0x04
BLOCKS = (("pc.ram", 64), ("vga.vram", 16), ("rom", 1))


def name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def word(address: int, flags: int) -> bytes:
    return struct.pack(">Q", address | flags)


def page(number: int, block: str = "", zero: bool = False) -> bytes:
    flags = (ZERO if zero else PAGE) | (0 if block else CONTINUE)
    data = b"\0" if zero else bytes([number % 251]) * 4096
    return word(number * 4096, flags) + (name(block) if block else b"") + data


HEADER = struct.pack(">II", 0x5145564D, 3)
CONFIGURATION = b"\x07" + struct.pack(">I", 9) + b"pc-i440fx"
BLOCK_LIST = word(sum(p for _, p in BLOCKS) * 4096, MEM_SIZE) + b"".join(
    name(n) + struct.pack(">Q", p * 4096) for n, p in BLOCKS
)
FOOTER = b"\x7e" + struct.pack(">I", 2)
END = word(0, EOS) + FOOTER


def start(payload: bytes = BLOCK_LIST) -> bytes:
    return b"\x01" + struct.pack(">I", 2) + name("ram") + struct.pack(">II", 0, 4) + payload + END


def part(payload: bytes, kind: int = 2) -> bytes:
    return bytes([kind]) + struct.pack(">I", 2) + payload + END


def stream(*sections: bytes) -> bytes:
    return HEADER + CONFIGURATION + start() + b"".join(sections)


def command(number: int, length: int = 0) -> bytes:
    """A QEMU_VM_COMMAND, whose bytes may look like anything."""
    return b"\x08" + struct.pack(">HH", number, length) + b"\x03" * length


def other(called: str, section: int, state: bytes, kind: int = 1) -> bytes:
    """The beginning of a section that is not of ram, or all of it."""
    begin = bytes([kind]) + struct.pack(">I", section) + name(called) + struct.pack(">II", 0, 1)
    return begin + state + b"\x7e" + struct.pack(">I", section)


def another(section: int, state: bytes, kind: int = 2) -> bytes:
    """A further part of such a section."""
    number = struct.pack(">I", section)
    return bytes([kind]) + number + state + b"\x7e" + number


WHOLE = (
    stream(
        part(page(3, "pc.ram") + page(4) + page(5, zero=True) + page(0, "vga.vram", zero=True)),
        part(b""),
        part(page(63, "pc.ram", zero=True) + page(0, "rom") + page(7, "pc.ram")),
        part(page(3) + page(4, zero=True), kind=3),
    )
    + b"\x04what follows is the state of devices"
)
EXPECTED = [(3, 0), (4, 0), (5, 1), (64, 1), (63, 1), (80, 0), (7, 0), (3, 0), (4, 1)]


def decode(data: bytes, *cuts: int) -> StreamDecoder:
    decoder = StreamDecoder()
    edges = [0, *cuts, len(data)]
    for first, last in itertools.pairwise(edges):
        decoder.feed(data[first:last])
    return decoder


def pages(decoder: StreamDecoder) -> list[tuple[int, int]]:
    return [(entry >> 1, entry & 1) for entry in decoder.sent]


def test_a_whole_stream() -> None:
    decoder = decode(WHOLE)
    decoder.finish()
    assert decoder.done
    assert pages(decoder) == EXPECTED
    assert [(b.name, b.first_page, b.pages) for b in decoder.blocks] == [
        ("pc.ram", 0, 64), ("vga.vram", 64, 16), ("rom", 80, 1),
    ]  # fmt: skip
    assert list(decoder.section_ends) == [0, 4, 4, 7, 9]
    assert decoder.bytes_decoded == len(WHOLE)


def test_every_place_to_be_cut_in_two() -> None:
    for cut in range(1, len(WHOLE)):
        decoder = decode(WHOLE, cut)
        decoder.finish()
        assert pages(decoder) == EXPECTED, cut


ALMOST = b"\x7e" + struct.pack(">I", 9)  # a footer, but for what follows it
WITH_OTHERS = (
    HEADER + CONFIGURATION + command(1) + command(2, 4)
    + other("0000:00:04.0/virtio-mem-device-early", 7, b"bitmap" * 9, kind=4)
    + other("dirty-bitmap", 9, b"\x03" * 40 + ALMOST + b"\xff" + ALMOST[:3])
    + start()
    + another(9, ALMOST * 2 + b"\x20" + b"\x02" * 9000)
    + part(page(3, "pc.ram") + page(4) + page(5, zero=True) + page(0, "vga.vram", zero=True))
    + part(b"")
    + part(page(63, "pc.ram", zero=True) + page(0, "rom") + page(7, "pc.ram"))
    + command(11)
    + another(9, b"", kind=3)
    + part(page(3) + page(4, zero=True), kind=3)
    + b"\x04devices"
)  # fmt: skip


def test_commands_and_sections_that_say_nothing_of_ram_are_passed_over() -> None:
    """As QEMU 10 (switchover-start), a return path, virtio-mem and dirty bitmaps have them."""
    cuts = [*range(1, 400), *range(len(WITH_OTHERS) - 200, len(WITH_OTHERS))]
    for cut in [*cuts, *range(400, len(WITH_OTHERS), 997)]:
        decoder = decode(WITH_OTHERS, cut)
        decoder.finish()
        assert pages(decoder) == EXPECTED, cut
        assert list(decoder.section_ends) == [0, 4, 4, 7, 9]
        assert decoder.passed_over == ["0000:00:04.0/virtio-mem-device-early", "dirty-bitmap"]


def capabilities(*names: str) -> bytes:
    count = struct.pack(">II", 1, len(names))
    return b"\x05" + name("configuration/capabilities") + count + b"".join(map(name, names))


def test_addresses_of_blocks_are_read_with_ignore_shared() -> None:
    blocks = word(65 * 4096, MEM_SIZE) + b"".join(
        name(called) + struct.pack(">QQ", length * 4096, address)
        for called, length, address in (("pc.ram", 64, 0), ("rom", 1, 0xC0000))
    )
    data = HEADER + CONFIGURATION + capabilities("x-ignore-shared") + start(blocks)
    data += part(page(1, "pc.ram"), kind=3)
    for cut in range(len(data)):
        decoder = decode(data, cut)
        assert pages(decoder) == [(1, 0)]
        assert decoder.capabilities == {"x-ignore-shared"}


def test_mapped_ram_is_named_as_what_it_is() -> None:
    with pytest.raises(BadInput, match="import it with 'dirtyscan trace import mapped-ram FILE'"):
        decode(HEADER + CONFIGURATION + capabilities("mapped-ram") + start())


def test_a_byte_at_a_time() -> None:
    decoder = StreamDecoder()
    for byte in WHOLE:
        decoder.feed(bytes([byte]))
    assert pages(decoder) == EXPECTED


def test_every_place_to_end_too_early() -> None:
    """Cut off before all of memory was sent: refused, and never decoded as something else."""
    complete = WHOLE.index(b"\x04what")
    for length in range(complete):
        decoder = decode(WHOLE[:length])
        with pytest.raises(BadInput, match="it ends before all of memory was sent"):
            decoder.finish()
        assert pages(decoder) == EXPECTED[: len(decoder.sent)]


@pytest.mark.parametrize(
    ("subsections", "good"),
    [
        (b"\x05" + name("configuration/target-page-bits") + struct.pack(">II", 1, 12), True),
        (b"\x05" + name("configuration/target-page-bits") + struct.pack(">II", 1, 14), False),
        *(
            (
                b"\x05" + name("configuration/target-page-bits") + struct.pack(">II", 1, bits),
                False,
            )
            for bits in (0, 20_000, 2**32 - 1)
        ),
        (b"\x05" + name("configuration/uuid") + struct.pack(">I", 1) + bytes(16), True),
        (
            b"\x05" + name("configuration/capabilities") + struct.pack(">II", 1, 1)
            + name("multifd"),
            False,
        ),
        (b"\x05" + name("configuration/other") + struct.pack(">I", 1), False),
    ],
)  # fmt: skip
def test_configurations(subsections: bytes, good: bool) -> None:
    data = HEADER + CONFIGURATION + subsections + start() + part(page(1, "pc.ram"), kind=3)
    if good:
        for cut in range(len(data)):
            assert pages(decode(data, cut)) == [(1, 0)]
    else:
        with pytest.raises(BadInput, match="the migration stream has"):
            decode(data)


def test_streams_without_configuration_or_footers() -> None:
    """As machine types of QEMU 2.2 and before have them."""
    end = word(0, EOS)
    data = HEADER + b"\x01" + struct.pack(">I", 9) + name("ram") + struct.pack(">II", 0, 4)
    data += BLOCK_LIST + end
    data += b"\x03" + struct.pack(">I", 9) + page(2, "pc.ram") + end
    assert pages(decode(data + b"\x04")) == [(2, 0)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GIF89a--", "does not begin with QEVM"),
        (struct.pack(">II", 0x5145564D, 2), "its version is 2"),
        (HEADER + b"\x09", "unknown type 0x9"),
        (HEADER + command(0), "the unknown command 0"),
        (HEADER + command(3, 16), r"post-copy \(its command postcopy-advise\)"),
        (HEADER + command(4), r"post-copy \(its command postcopy-listen\)"),
        (HEADER + command(7, 4), r"post-copy \(its command packaged\)"),
        (HEADER + command(8), r"COLO \(its command enable-colo\)"),
        (HEADER + command(12), "the unknown command 12"),
        (
            stream(part(b""), b"\x04" + struct.pack(">I", 1) + name("timer") + bytes(8)),
            "a section 'timer' before the end of ram, as a background snapshot has",
        ),
        (HEADER + other("vfio", 3, b"state")[:-5], "its section 'vfio' has no end"),
        (HEADER + b"\x00", "ends before all of memory"),
        (HEADER + b"\x02" + struct.pack(">I", 7), "section 7 has not begun"),
        (HEADER + b"\x07" + struct.pack(">I", 2**31), "a machine name without end"),
        (stream(part(word(0, 0x40 | CONTINUE))), "xbzrle"),
        (stream(part(word(0, 0x100 | CONTINUE))), "compression"),
        (stream(part(word(0, 0x200))), "multifd"),
        (stream(part(word(0, 0x80))), r"a hook \(RDMA\)"),
        (stream(part(word(0, 0x01))), "RAM_SAVE_FLAG_FULL"),
        (stream(part(word(0, 0x400))), "the unknown flags 0x400"),
        (stream(part(word(0, CONTINUE))), "the flags 0x20 do not go together"),
        (stream(part(page(1))), "the flags 0x28 do not go together"),
        (stream(part(page(64, "pc.ram"))), "page 64 of block 'pc.ram' does not exist"),
        (stream(part(page(0, "pc.rom"))), "block 'pc.rom' was not announced"),
        (stream(part(page(1, "pc.ram"))[:-4] + struct.pack(">I", 5)), "the footer of section 5"),
        (
            HEADER + start(word(8192, MEM_SIZE) + name("a") + struct.pack(">Q", 3 * 4096)),
            "block 'a' has 12288 bytes",
        ),
        (
            HEADER + b"\x01" + struct.pack(">I", 2) + name("ram") + struct.pack(">II", 0, 5),
            "version 5 of section ram",
        ),
    ],
)
def test_what_cannot_be_decoded_is_named(data: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        decode(data).finish()


@fuzz
@given(st.binary(max_size=3000), st.integers(0, 400))
def test_any_bytes_are_decoded_or_refused(data: bytes, keep: int) -> None:
    """Behind the beginning of a good stream too: no hang, no other error, no memory without end."""
    decoder = StreamDecoder()
    try:
        decoder.feed(WHOLE[:keep] + data)
        decoder.finish()
    except BadInput:
        pass
    assert len(decoder.sent) <= (keep + len(data)) // 9


@fuzz
@given(st.data())
def test_a_changed_byte_is_decoded_or_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(WHOLE) - 1))
    changed = bytearray(WHOLE)
    changed[place] = data.draw(st.integers(0, 255))
    decoder = StreamDecoder()
    try:
        decoder.feed(bytes(changed))
        decoder.finish()
    except BadInput:
        return
    assert all(entry >> 1 < 81 for entry in decoder.sent)


def test_only_page_numbers_are_kept() -> None:
    payload = b"".join(page(n % 64) for n in range(20_000))
    data = stream(part(page(0, "pc.ram") + payload))
    decoder = StreamDecoder()
    for first in range(0, len(data), 65536):
        decoder.feed(data[first : first + 65536])
        assert len(decoder._tail) <= 2 * 4104
    assert np.array_equal(np.array(decoder.sent) >> 1, [0, *(n % 64 for n in range(20_000))])


def test_records_that_never_end_are_refused() -> None:
    blocks = word(2**40, MEM_SIZE) + (name("x" * 255) + struct.pack(">Q", 4096)) * 8000
    with pytest.raises(BadInput, match="a record of more than"):
        decode(HEADER + b"\x01" + struct.pack(">I", 2) + name("ram") + bytes(7) + b"\x04" + blocks)
