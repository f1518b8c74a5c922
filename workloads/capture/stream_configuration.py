"""The configuration of a migration stream: the machine, and what the other side must know."""

from harness.base.text import shortened
from workloads.capture.stream_parts import (
    PAGE_BITS,
    Broken,
    Unsupported,
    read_byte,
    read_name,
    unpack,
)

IGNORE_SHARED = "x-ignore-shared"
MAPPED_RAM = "mapped-ram"
_SUBSECTION = 5
_LONGEST_NAME = 2**20
_UUID_BYTES = 16


def read_configuration(buffer: bytes, start: int) -> tuple[int, frozenset[str]]:
    """Read the configuration that begins at ``start`` of ``buffer``.

    Returns:
        What is behind it, and the capabilities that change how RAM is laid out in the stream.

    Raises:
        NeedMore: it is not complete yet.
        Broken, Unsupported: it is none, or has what is not known here.
    """
    (length,) = unpack(">I", buffer, start + 1, start)
    if length > _LONGEST_NAME:
        raise Broken("a machine name without end")
    position = start + 5 + length
    capabilities: frozenset[str] = frozenset()
    while read_byte(buffer, position, start) == _SUBSECTION:
        name, position = read_name(buffer, position + 1, start)
        position += 4  # its version
        if name == "configuration/target-page-bits":
            (bits,) = unpack(">I", buffer, position, start)
            if bits != PAGE_BITS:
                raise Unsupported(f"pages of 2 to the power of {bits} bytes")
            position += 4
        elif name == "configuration/capabilities":
            position, capabilities = _read_capabilities(buffer, position, start)
        elif name == "configuration/uuid":
            position += _UUID_BYTES
        else:
            raise Unsupported(f"the subsection {shortened(name)!r}")
    return position, capabilities


def _read_capabilities(buffer: bytes, position: int, start: int) -> tuple[int, frozenset[str]]:
    (count,) = unpack(">I", buffer, position, start)
    position += 4
    names = set()
    for _ in range(count):
        name, position = read_name(buffer, position, start)
        if name not in (IGNORE_SHARED, MAPPED_RAM):
            raise Unsupported(f"the capability {name}")
        names.add(name)
    return position, frozenset(names)
