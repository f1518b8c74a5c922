"""QEMU's migration stream, decoded as it arrives: which pages were sent, and in what order.

The format is that of QEMU's migration/savevm.c and migration/ram.c (version 3 of the stream, QEMU
2.3 to today): a header, an optional configuration, then sections. The sections of ``ram`` hold
64-bit words whose low bits are flags and whose other bits are an address in a RAM block, followed
by what the flags say. All numbers are big-endian. What follows the last section of ``ram`` is the
state of devices and is not looked at.
"""

import array
import dataclasses
import struct
from typing import ClassVar

from harness.base.errors import BadInput
from harness.base.text import shortened

_PAGE_BITS = 12
PAGE_SIZE = (
    1 << _PAGE_BITS
)  # of the target; the stream of a target with other pages says so and is refused

_MAGIC, _VERSION = 0x5145564D, 3
_EOF, _START, _PART, _END, _FULL = 0, 1, 2, 3, 4
_SUBSECTION, _CONFIGURATION, _COMMAND, _FOOTER = 5, 7, 8, 0x7E
_ZERO, _MEM_SIZE, _PAGE, _EOS, _CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
_UNSUPPORTED = {
    0x01: "RAM_SAVE_FLAG_FULL (an obsolete flag)",
    0x40: "xbzrle",
    0x80: "a hook (RDMA)",
    0x100: "compression",
    0x200: "multifd",
}
_LONGEST_RECORD = 2**20  # nothing that is read whole is longer, so more means a broken stream


@dataclasses.dataclass(frozen=True)
class RamBlock:
    """A block of the guest's memory."""

    name: str
    first_page: int
    """Number of its first page, counting through all blocks in the order of the stream."""
    pages: int


class _NeedMore(Exception):
    """The record is not complete yet."""


class StreamDecoder:
    """Decodes a stream that is fed to it in pieces of any size.

    Only the numbers of the pages sent are kept, four bytes each, and less than a record of the
    stream itself.
    """

    def __init__(self) -> None:
        self.blocks: list[RamBlock] = []
        self.sent = array.array("I")
        """In the order sent: the number of the page times two, plus one if it was a zero page."""
        self.section_ends = array.array("I")
        """After how many pages each section of RAM ended."""
        self.bytes_decoded = 0
        self._tail = b""
        self._step = self._read_header
        self._ram_section: int | None = None
        self._last_section = False
        self._block: RamBlock | None = None
        self._by_name: dict[str, RamBlock] = {}

    @property
    def done(self) -> bool:
        """Whether all of RAM has been seen."""
        return self._step == self._skip

    def feed(self, data: bytes) -> None:
        """Decode ``data``, the next piece of the stream.

        Raises:
            BadInput: the stream is not one of QEMU's, is broken, or uses a feature that hides which
                pages were sent; the sentence names it.
        """
        if self.done:
            self.bytes_decoded += len(data)
            return
        buffer = self._tail + data
        position = 0
        try:
            while position < len(buffer) and not self.done:
                position = self._step(buffer, position)
        except _NeedMore as need:
            # A step that was cut off is done again from its beginning, which it says.
            position = need.args[0]
        self.bytes_decoded += len(data)
        self._tail = b"" if self.done else buffer[position:]
        if len(self._tail) > _LONGEST_RECORD:
            raise self._broken(f"a record of more than {_LONGEST_RECORD} bytes")

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises:
            BadInput: it ended before all of RAM was sent, or had none.
        """
        if not self.done:
            raise self._broken("it ends before all of memory was sent")
        if not self.blocks:
            raise self._broken("no RAM block was announced")

    # Steps: each reads one record at a position and returns the position behind it.

    def _read_header(self, buffer: bytes, position: int) -> int:
        magic, version = self._unpack(">II", buffer, position, position)
        if magic != _MAGIC:
            raise BadInput(
                "this is not a migration stream of QEMU (it does not begin with QEVM); save one "
                "with 'migrate \"exec:cat > FILE\"' in QEMU's monitor."
            )
        if version != _VERSION:
            raise self._broken(f"its version is {version} where {_VERSION} is known")
        self._step = self._read_section
        return position + 8

    def _read_section(self, buffer: bytes, position: int) -> int:
        kind = buffer[position]
        if kind in (_START, _FULL):
            return self._read_section_start(buffer, position, kind)
        if kind in (_PART, _END):
            (section,) = self._unpack(">I", buffer, position + 1, position)
            if section != self._ram_section:
                raise self._broken(f"section {section} is not that of ram")
            self._last_section = kind == _END
            self._step = self._read_ram
            return position + 5
        if kind == _CONFIGURATION:
            return self._read_configuration(buffer, position)
        if kind == _COMMAND:
            raise self._unsupported("a command, as post-copy uses")
        if kind == _EOF:
            raise self._broken("it ends before all of memory was sent")
        raise self._broken(f"a section of the unknown type {kind:#x}")

    def _read_section_start(self, buffer: bytes, start: int, kind: int) -> int:
        (section,) = self._unpack(">I", buffer, start + 1, start)
        name, position = self._name(buffer, start + 5, start)
        _instance, version = self._unpack(">II", buffer, position, start)
        if kind == _FULL:
            raise self._unsupported(
                f"a section {shortened(name)!r} before the end of ram, as a background snapshot "
                "has,"
            )
        if name != "ram":
            raise self._unsupported(f"a section {shortened(name)!r} before the end of ram")
        if version != 4:
            raise self._broken(f"version {version} of section ram where 4 is known")
        self._ram_section = section
        self._step = self._read_ram
        return position + 8

    def _read_configuration(self, buffer: bytes, start: int) -> int:
        (length,) = self._unpack(">I", buffer, start + 1, start)
        position = start + 5 + length
        if length > _LONGEST_RECORD:
            raise self._broken("a machine name without end")
        while self._byte(buffer, position, start) == _SUBSECTION:
            name, position = self._name(buffer, position + 1, start)
            position += 4  # its version
            if name == "configuration/target-page-bits":
                (bits,) = self._unpack(">I", buffer, position, start)
                if bits != _PAGE_BITS:
                    raise self._unsupported(f"pages of 2 to the power of {bits} bytes")
                position += 4
            elif name == "configuration/capabilities":
                position = self._skip_capabilities(buffer, position, start)
            elif name == "configuration/uuid":
                position += 16
            else:
                raise self._unsupported(f"the subsection {shortened(name)!r}")
        return position

    def _skip_capabilities(self, buffer: bytes, position: int, start: int) -> int:
        (count,) = self._unpack(">I", buffer, position, start)
        position += 4
        for _ in range(count):
            name, position = self._name(buffer, position, start)
            if name != "x-ignore-shared":
                raise self._unsupported(f"the capability {name}")
        return position

    def _read_ram(self, buffer: bytes, position: int) -> int:
        """Read records of a section of RAM as long as they are complete."""
        size = len(buffer)
        sent, page_size = self.sent, PAGE_SIZE
        flag_mask = page_size - 1
        block = self._block
        while True:
            start = position
            if size - position < 8:
                raise _NeedMore(start)
            word = int.from_bytes(buffer[position : position + 8], "big")
            position += 8
            flags = word & flag_mask
            # Nearly every record is one of these two.
            if flags == _PAGE | _CONTINUE and block is not None:
                length = page_size
            elif flags == _ZERO | _CONTINUE and block is not None:
                length = 1
            elif flags in (_PAGE, _ZERO):
                name, position = self._name(buffer, position, start)
                block = self._find_block(name)
                length = page_size if flags == _PAGE else 1
            elif flags == _EOS:
                self._step = self._read_footer
                return position
            elif flags == _MEM_SIZE:
                position = self._read_blocks(buffer, position, start, word & ~flag_mask)
                continue
            else:
                raise self._unknown_flags(flags)
            if size - position < length:
                raise _NeedMore(start)
            position += length
            page = word // page_size
            if page >= block.pages:
                raise self._broken(f"page {page} of block {shortened(block.name)!r} does not exist")
            sent.append((block.first_page + page) << 1 | (length == 1))
            self._block = block

    def _read_blocks(self, buffer: bytes, position: int, start: int, total: int) -> int:
        """Read the list of RAM blocks, which adds up to ``total`` bytes."""
        blocks, first = [], 0
        while total > 0:
            name, position = self._name(buffer, position, start)
            (length,) = self._unpack(">Q", buffer, position, start)
            position += 8
            if not 0 < length <= total or length % PAGE_SIZE:
                raise self._broken(f"block {shortened(name)!r} has {length} bytes")
            blocks.append(RamBlock(name, first, length // PAGE_SIZE))
            first += length // PAGE_SIZE
            total -= length
        if first >= 2**31:
            raise self._unsupported("a guest of 8 TiB or more")
        self.blocks = blocks
        self._by_name = {block.name: block for block in blocks}
        return position

    def _read_footer(self, buffer: bytes, position: int) -> int:
        """Read the footer of a section; the machine types of old QEMUs have none."""
        if buffer[position] == _FOOTER:
            (section,) = self._unpack(">I", buffer, position + 1, position)
            if section != self._ram_section:
                raise self._broken(f"the footer of section {section} after that of ram")
            position += 5
        self.section_ends.append(len(self.sent))
        self._step = self._skip if self._last_section else self._read_section
        return position

    def _skip(self, buffer: bytes, position: int) -> int:
        return len(buffer)

    # Parts of records. ``start`` is where the record begins that is read again if it is cut off.

    def _unpack(self, form: str, buffer: bytes, position: int, start: int) -> tuple[int, ...]:
        if len(buffer) - position < struct.calcsize(form):
            raise _NeedMore(start)
        return struct.unpack_from(form, buffer, position)

    def _byte(self, buffer: bytes, position: int, start: int) -> int:
        return self._unpack(">B", buffer, position, start)[0]

    def _name(self, buffer: bytes, position: int, start: int) -> tuple[str, int]:
        end = position + 1 + self._byte(buffer, position, start)
        if len(buffer) < end:
            raise _NeedMore(start)
        return buffer[position + 1 : end].decode("ascii", "backslashreplace"), end

    def _find_block(self, name: str) -> RamBlock:
        try:
            return self._by_name[name]
        except KeyError:
            raise self._broken(f"RAM block {shortened(name)!r} was not announced") from None

    _known: ClassVar[int] = _ZERO | _MEM_SIZE | _PAGE | _EOS | _CONTINUE

    def _unknown_flags(self, flags: int) -> BadInput:
        for flag, name in _UNSUPPORTED.items():
            if flags & flag:
                return self._unsupported(name)
        if flags & ~self._known:
            return self._unsupported(f"the unknown flags {flags & ~self._known:#x}")
        return self._broken(f"the flags {flags:#x} do not go together")

    def _broken(self, why: str) -> BadInput:
        return BadInput(
            f"the migration stream is broken after {len(self.sent)} pages: {why}; save it again."
        )

    def _unsupported(self, what: str) -> BadInput:
        return BadInput(
            f"the migration stream has {what} after {len(self.sent)} pages, from which the pages "
            "sent cannot be told; migrate without it."
        )
