"""Sizes as people write them: ``512MiB``, ``4 TiB``, ``4096``."""

import re

from harness.base.errors import BadInput
from harness.base.text import shortened

_UNITS = {
    "": 1,
    "b": 1,
    "k": 2**10,
    "kib": 2**10,
    "m": 2**20,
    "mib": 2**20,
    "g": 2**30,
    "gib": 2**30,
    "t": 2**40,
    "tib": 2**40,
}
_SIZE = re.compile(r"\s*(\d+)\s*([a-zA-Z]*)\s*")
_DIGITS = 20
"""Of a size; 64 bits have no more."""
_NAMES = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def parse_share(text: str) -> float:
    """Read a share, which may be written in percent.

    Raises:
        ValueError: it is no number.
    """
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def parse_size(text: str) -> int:
    """Read a size in bytes from ``text``, a whole number with an optional binary unit.

    Decimal units (MB, GB) are refused because guest memory is never given in them, and silently
    reading ``512MB`` as 512 MiB would make the trace lie about its parameters.

    Raises:
        BadInput: the text is not such a size.
    """
    match = _SIZE.fullmatch(text)
    factor = _UNITS.get(match.group(2).lower()) if match else None
    if match is None or factor is None or len(match.group(1)) > _DIGITS:
        raise BadInput(
            f"{shortened(text)!r} is not a size; write a whole number of bytes or one with KiB, "
            "MiB, GiB or TiB behind it, for example 512MiB."
        )
    return int(match.group(1)) * factor


def format_size(size: int) -> str:
    """Write ``size`` (bytes) in the largest binary unit that divides it: 536870912 -> 512MiB."""
    for name, factor in _NAMES:
        if size and size % factor == 0:
            return f"{size // factor}{name}"
    return f"{size}B"
