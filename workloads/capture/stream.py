"""QEMU's migration stream, decoded as it arrives: which pages were sent, and in what order.

The format is that of QEMU's migration/savevm.c and migration/ram.c (version 3 of the stream, QEMU
2.3 to today): a header, an optional configuration, then sections and commands. The sections of
``ram`` hold 64-bit words whose low bits are flags and whose other bits are an address in a RAM
block, followed by what the flags say. All numbers are big-endian. Sections of devices among them
say nothing of RAM and are passed over; what follows the last section of ``ram`` is not looked at.
"""

import array
import struct

from harness.base.errors import BadInput
from harness.base.text import shortened
from workloads.capture.ram_blocks import RamBlock
from workloads.capture.ram_records import RamRecords
from workloads.capture.stream_configuration import (
    IGNORE_SHARED,
    MAPPED_RAM,
    read_configuration,
)
from workloads.capture.stream_parts import (
    Broken,
    NeedMore,
    Unsupported,
    read_name,
    unpack,
)

_MAGIC, _VERSION = 0x5145564D, 3
_EOF, _START, _PART, _END, _FULL = 0, 1, 2, 3, 4
_CONFIGURATION, _COMMAND, _FOOTER = 7, 8, 0x7E
_AFTER_A_SECTION = bytes((_EOF, _START, _PART, _END, _FULL, _COMMAND))
_HARMLESS_COMMANDS = (1, 2, 11)  # open-return-path, ping, switchover-start
_COMMANDS = {
    3: "post-copy (its command postcopy-advise)",
    4: "post-copy (its command postcopy-listen)",
    5: "post-copy (its command postcopy-run)",
    6: "post-copy (its command postcopy-ram-discard)",
    7: "post-copy (its command packaged)",
    8: "COLO (its command enable-colo)",
    9: "post-copy (its command postcopy-resume)",
    10: "post-copy (its command recv-bitmap)",
}
_LONGEST_RECORD = 2**20  # nothing that is read whole is longer, so more means a broken stream


class StreamDecoder:
    """Decodes a stream that is fed to it in pieces of any size.

    Only the numbers of the pages sent are kept, four bytes each, and less than a record of the
    stream itself.
    """

    def __init__(self) -> None:
        self.ram = RamRecords()
        self.section_ends = array.array("I")
        """After how many pages each section of RAM ended."""
        self.passed_over: list[str] = []
        """The names of the sections that say nothing of RAM, before its end."""
        self.capabilities: frozenset[str] = frozenset()
        """Those of the configuration."""
        self.bytes_decoded = 0
        self._tail = b""
        self._step = self._read_header
        self._ram_section: int | None = None
        self._others: dict[int, str] = {}
        self._section = 0
        self._last = False
        self._ram_parts = 0

    @property
    def blocks(self) -> list[RamBlock]:
        """The RAM blocks, in the order of the stream."""
        return self.ram.blocks

    @property
    def sent(self) -> "array.array[int]":
        """In the order sent: the number of the page times two, plus one if it was a zero page."""
        return self.ram.sent

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
        except NeedMore as need:
            # A step that was cut off is done again from its beginning, which it says.
            position = need.args[0]
        except Broken as error:
            raise self._broken(str(error)) from None
        except Unsupported as error:
            raise self._unsupported(str(error)) from None
        self.bytes_decoded += len(data)
        self._tail = b"" if self.done else buffer[position:]
        if len(self._tail) > _LONGEST_RECORD:
            raise self._broken(f"a record of more than {_LONGEST_RECORD} bytes")

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises:
            BadInput: it ended before all of RAM was sent, or had none.
        """
        if self._step == self._pass_over:
            raise self._broken(f"its section {shortened(self._others[self._section])!r} has no end")
        if not self.done:
            raise self._broken("it ends before all of memory was sent")
        if not self.blocks:
            raise self._broken("no RAM block was announced")

    # Steps: each reads one record at a position and returns the position behind it.

    def _read_header(self, buffer: bytes, position: int) -> int:
        magic, version = unpack(">II", buffer, position, position)
        if magic != _MAGIC:
            raise BadInput(
                "this is not a migration stream of QEMU (it does not begin with QEVM); save one "
                "with 'migrate \"exec:cat > FILE\"' in QEMU's monitor."
            )
        if version != _VERSION:
            raise Broken(f"its version is {version} where {_VERSION} is known")
        self._step = self._read_section
        return position + 8

    def _read_section(self, buffer: bytes, position: int) -> int:
        kind = buffer[position]
        if kind in (_START, _FULL):
            return self._read_section_start(buffer, position, kind)
        if kind in (_PART, _END):
            (section,) = unpack(">I", buffer, position + 1, position)
            return self._enter(section, position + 5, last=kind == _END)
        if kind == _CONFIGURATION:
            position, self.capabilities = read_configuration(buffer, position)
            if MAPPED_RAM in self.capabilities:
                raise BadInput(
                    "this is no stream but a file of the capability mapped-ram; import it with "
                    "'dirtyscan trace import mapped-ram FILE'."
                )
            self.ram.addresses = IGNORE_SHARED in self.capabilities
            return position
        if kind == _COMMAND:
            return self._pass_command(buffer, position)
        if kind == _EOF:
            raise Broken("it ends before all of memory was sent")
        raise Broken(f"a section of the unknown type {kind:#x}")

    def _read_section_start(self, buffer: bytes, start: int, kind: int) -> int:
        (section,) = unpack(">I", buffer, start + 1, start)
        name, position = read_name(buffer, start + 5, start)
        _instance, version = unpack(">II", buffer, position, start)
        position += 8
        if name != "ram":
            if kind == _FULL and self._ram_parts:
                # In pre-copy the state of devices follows the last section of ram.
                raise Unsupported(
                    f"a section {shortened(name)!r} before the end of ram, as a background "
                    "snapshot has,"
                )
            self._others[section] = name
            if name not in self.passed_over:
                self.passed_over.append(name)
            return self._enter(section, position, last=False)
        if version != 4:
            raise Broken(f"version {version} of section ram where 4 is known")
        self._ram_section = section
        self._step = self._read_ram
        return position

    def _enter(self, section: int, position: int, last: bool) -> int:
        """Go on in ``section`` at ``position``, which may be the last of its parts."""
        self._section, self._last = section, last
        if section in self._others:
            self._step = self._pass_over
        elif section == self._ram_section:
            self._ram_parts += 1
            self._step = self._read_ram
        else:
            raise Broken(f"section {section} has not begun")
        return position

    def _pass_command(self, buffer: bytes, start: int) -> int:
        """Pass over a command to the other side: its number, a length, and so many bytes."""
        command, length = unpack(">HH", buffer, start + 1, start)
        if command not in _HARMLESS_COMMANDS:
            raise Unsupported(_COMMANDS.get(command, f"the unknown command {command}"))
        if len(buffer) - start - 5 < length:
            raise NeedMore(start)
        return start + 5 + length

    def _pass_over(self, buffer: bytes, position: int) -> int:
        """Pass over a section that is not of ram, whose length nobody says.

        It ends with a footer of its own number, behind which something else begins.
        """
        footer = bytes([_FOOTER]) + struct.pack(">I", self._section)
        while (found := buffer.find(footer, position)) >= 0:
            end = found + len(footer)
            if end == len(buffer):
                raise NeedMore(found)
            if buffer[end] in _AFTER_A_SECTION:
                self._step = self._read_section
                return end
            position = found + 1
        raise NeedMore(max(position, len(buffer) - len(footer) + 1))

    def _read_ram(self, buffer: bytes, position: int) -> int:
        position = self.ram.read(buffer, position)
        self._step = self._read_footer
        return position

    def _read_footer(self, buffer: bytes, position: int) -> int:
        """Read the footer of a section; the machine types of old QEMUs have none."""
        if buffer[position] == _FOOTER:
            (section,) = unpack(">I", buffer, position + 1, position)
            if section != self._ram_section:
                raise Broken(f"the footer of section {section} after that of ram")
            position += 5
        self.section_ends.append(len(self.sent))
        self._step = self._skip if self._last else self._read_section
        return position

    def _skip(self, buffer: bytes, position: int) -> int:
        return len(buffer)

    def _broken(self, why: str) -> BadInput:
        return BadInput(
            f"the migration stream is broken after {len(self.sent)} pages: {why}; save it again."
        )

    def _unsupported(self, what: str) -> BadInput:
        return BadInput(
            f"the migration stream has {what} after {len(self.sent)} pages, from which the pages "
            "sent cannot be told; migrate without it."
        )
