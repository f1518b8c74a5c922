"""The records of the sections of ``ram`` in a migration stream: blocks, and pages of them.

A record is a 64-bit word whose low bits are flags and whose other bits are an address in a RAM
block, followed by what the flags say (QEMU: migration/ram.c).
"""

import array
from typing import ClassVar

from harness.base.text import shortened
from workloads.capture.ram_blocks import RamBlock
from workloads.capture.stream_parts import (
    PAGE_SIZE,
    Broken,
    NeedMore,
    Unsupported,
    read_name,
    unpack,
)

_ZERO, MEM_SIZE, _PAGE, _EOS, _CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
_UNSUPPORTED = {
    0x01: "RAM_SAVE_FLAG_FULL (an obsolete flag)",
    0x40: "xbzrle",
    0x80: "a hook (RDMA)",
    0x100: "compression",
    0x200: "multifd",
}


class RamRecords:
    """Reads the records, and keeps which pages they sent."""

    def __init__(self) -> None:
        self.blocks: list[RamBlock] = []
        self.sent = array.array("I")
        """In the order sent: the number of the page times two, plus one if it was a zero page."""
        self.addresses = False
        """Whether the address of each block follows its length, as with x-ignore-shared."""
        self._block: RamBlock | None = None
        self._by_name: dict[str, RamBlock] = {}

    def read(self, buffer: bytes, position: int) -> int:
        """Read the records from ``position`` on, and return where the section's last one ends.

        Raises:
            NeedMore: the section is not complete yet; what was complete has been read.
            Broken, Unsupported: as they say.
        """
        size = len(buffer)
        sent, page_size = self.sent, PAGE_SIZE
        flag_mask = page_size - 1
        block = self._block
        while True:
            start = position
            if size - position < 8:
                raise NeedMore(start)
            word = int.from_bytes(buffer[position : position + 8], "big")
            position += 8
            flags = word & flag_mask
            # Nearly every record is one of these two.
            if flags == _PAGE | _CONTINUE and block is not None:
                length = page_size
            elif flags == _ZERO | _CONTINUE and block is not None:
                length = 1
            elif flags in (_PAGE, _ZERO):
                name, position = read_name(buffer, position, start)
                block = self._find_block(name)
                length = page_size if flags == _PAGE else 1
            elif flags == _EOS:
                return position
            elif flags == MEM_SIZE:
                position = self._read_blocks(buffer, position, start, word & ~flag_mask)
                continue
            else:
                raise self._unknown_flags(flags)
            if size - position < length:
                raise NeedMore(start)
            position += length
            page = word // page_size
            if page >= block.pages:
                raise Broken(f"page {page} of block {shortened(block.name)!r} does not exist")
            sent.append((block.first_page + page) << 1 | (length == 1))
            self._block = block

    def _read_blocks(self, buffer: bytes, position: int, start: int, total: int) -> int:
        """Read the list of RAM blocks, which adds up to ``total`` bytes."""
        blocks, first = [], 0
        while total > 0:
            name, position = read_name(buffer, position, start)
            form = ">QQ" if self.addresses else ">Q"
            length, *address = unpack(form, buffer, position, start)
            position += 8 + 8 * len(address)
            if not 0 < length <= total or length % PAGE_SIZE:
                raise Broken(f"block {shortened(name)!r} has {length} bytes")
            blocks.append(RamBlock(name, first, length // PAGE_SIZE))
            first += length // PAGE_SIZE
            total -= length
        if first >= 2**31:
            raise Unsupported("a guest of 8 TiB or more")
        self.blocks = blocks
        self._by_name = {block.name: block for block in blocks}
        return position

    def _find_block(self, name: str) -> RamBlock:
        try:
            return self._by_name[name]
        except KeyError:
            raise Broken(f"RAM block {shortened(name)!r} was not announced") from None

    _known: ClassVar[int] = _ZERO | MEM_SIZE | _PAGE | _EOS | _CONTINUE

    def _unknown_flags(self, flags: int) -> Exception:
        for flag, name in _UNSUPPORTED.items():
            if flags & flag:
                return Unsupported(name)
        if flags & ~self._known:
            return Unsupported(f"the unknown flags {flags & ~self._known:#x}")
        return Broken(f"the flags {flags:#x} do not go together")
