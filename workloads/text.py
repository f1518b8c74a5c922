"""Text that is not ours, made fit to be shown: nothing in it steers a terminal."""

import unicodedata

_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control, format (writing direction) and surrogate characters, and of
separators of lines and paragraphs."""


def printable(text: str) -> str:
    """Return ``text`` with what steers a terminal written out, as Python would; lines stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character == "\n" or not _steers(character) else _written_out(character)
        for character in text
    )


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()
