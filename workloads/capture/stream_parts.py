"""The parts of records of a migration stream, and what can be wrong with them.

A record is read from a buffer that may not hold all of it yet. ``start`` is where the record begins
that is read again once there is more.
"""

import struct

PAGE_BITS = 12
PAGE_SIZE = 1 << PAGE_BITS
"""Of the target; the stream of a target with other pages says so and is refused."""


class NeedMore(Exception):
    """The record that begins at ``args[0]`` is not complete yet."""


class Broken(Exception):
    """What is read cannot be part of a stream; the text says why."""


class Unsupported(Exception):
    """The stream has something that hides which pages were sent; the text names it."""


def unpack(form: str, buffer: bytes, position: int, start: int) -> tuple[int, ...]:
    """Return the numbers of ``form`` (of :mod:`struct`) at ``position``.

    Raises:
        NeedMore: they are not there yet.
    """
    if len(buffer) - position < struct.calcsize(form):
        raise NeedMore(start)
    return struct.unpack_from(form, buffer, position)


def read_byte(buffer: bytes, position: int, start: int) -> int:
    """Return the byte at ``position``; see :func:`unpack`."""
    return unpack(">B", buffer, position, start)[0]


def read_name(buffer: bytes, position: int, start: int) -> tuple[str, int]:
    """Return the name at ``position``, a byte of its length and its text, and what is behind it."""
    end = position + 1 + read_byte(buffer, position, start)
    if len(buffer) < end:
        raise NeedMore(start)
    return buffer[position + 1 : end].decode("ascii", "backslashreplace"), end
