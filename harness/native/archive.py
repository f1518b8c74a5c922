"""Archives of object files, as a linker reads them: by the names that their members define.

The format is that of System V and GNU, in which rustc writes its libraries too.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from harness.base.files import read_file

_MAGIC = b"!<arch>\n"
_HEAD = 60
"""Bytes before the content of each member, which begins at an even one."""
_SIZE = slice(48, 58)
_INDEXES = {b"/": ">I", b"/SYM64/": ">Q"}
"""What the index is called, by how it writes numbers."""


class UnreadableArchive(Exception):
    """It is damaged, has no index, or is of another kind: one that only names its members."""


class Archive:
    """An archive; a member is read when what it defines is asked for."""

    def __init__(self, path: Path) -> None:
        """Read the index.

        Raises:
            UnreadableArchive: see there.
            BadInput: there is no such file.
        """
        self._data = read_file(path)
        self._places: dict[str, int] = {}
        try:
            for name, place in self._index():
                self._places.setdefault(name, place)
        except (ValueError, IndexError, struct.error) as error:
            raise UnreadableArchive(str(error)) from None

    def place_of(self, name: str) -> int | None:
        """Return where the member begins that defines ``name``; None if none does."""
        return self._places.get(name)

    def member(self, place: int) -> bytes:
        """Return the content of the member that begins at ``place``.

        Raises:
            UnreadableArchive: there is none.
        """
        try:
            return self._content(place)
        except ValueError as error:
            raise UnreadableArchive(str(error)) from None

    def _index(self) -> Iterator[tuple[str, int]]:
        """Yield every name with the place of the member that defines it, as they are written.

        Raises:
            ValueError: there is no index.
        """
        if not self._data.startswith(_MAGIC):
            raise ValueError("it is no archive, or one that only names its members")
        if self._data == _MAGIC:
            return
        called = self._data[len(_MAGIC) : len(_MAGIC) + 16].rstrip()
        content = self._content(len(_MAGIC))
        if called not in _INDEXES:
            raise ValueError("it has no index")
        number = struct.Struct(_INDEXES[called])
        (count,) = number.unpack_from(content)
        names = content[number.size * (count + 1) :].split(b"\0")
        for one in range(count):
            (place,) = number.unpack_from(content, number.size * (one + 1))
            yield names[one].decode(errors="surrogateescape"), place

    def _content(self, place: int) -> bytes:
        head = self._data[place : place + _HEAD]
        if len(head) < _HEAD or not head.endswith(b"`\n"):
            raise ValueError(f"there is no member at {place}")
        size = int(head[_SIZE])
        content = self._data[place + _HEAD : place + _HEAD + size]
        if len(content) < size:
            raise ValueError(f"the member at {place} is cut off")
        return content
