"""Text: what of somebody else's can be shown, and how much; and how ours is said."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST_NAME = 200
"""The most characters in the name of a trace or a variant: with more before and behind it, what a
name leaves room for in one of a file."""
_NAMED = 3
"""So many names stand in a sentence before it says how many more there are."""
_MOST = 40
"""The most characters that a sentence quotes."""
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
"""Categories of Unicode: control characters, bytes that are not UTF-8, ends of lines."""
_STEERING = (*_HIDDEN, "Cf")
"""Beside them characters of format, such as the direction of writing."""


def shortened(text: str) -> str:
    """Return ``text`` as long as it may be in a sentence."""
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def meant(word: str, known: Iterable[str]) -> str:
    """Return which of ``known`` somebody probably meant by ``word``; empty if none is near."""
    by_small = {name.lower().lstrip("-"): name for name in known}
    near = difflib.get_close_matches(word[:_MOST].lower().lstrip("-"), by_small, n=1)
    return by_small[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question whether that was meant, as the end of a sentence; or nothing."""
    near = meant(word, known)
    return f" (did you mean {near}?)" if near else ""


def can_be_shown(text: str) -> bool:
    """Whether every character of ``text`` is one that a reader sees, or a space."""
    return text.isprintable()


def shown(text: str) -> str:
    """Return ``text``, such as the name of a file, with U+FFFD for what no text should hold."""
    return "".join("\ufffd" if unicodedata.category(c) in _HIDDEN else c for c in text)


def printable(text: str) -> str:
    """Return ``text`` with what steers a terminal written out, as Python would; lines stay."""
    if text.isascii() and can_be_shown(text):
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


def natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts texts with numbers as people do: ``log-2`` before ``log-10``."""
    return [
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part)
        for part in re.split(r"([0-9]{1,18})", text)
    ]


def list_names(names: Sequence[str]) -> str:
    """Return ``names`` as they are listed in a sentence."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"


def join_names(names: Sequence[str]) -> str:
    """Return all ``names``, one or more, as they are counted up in a sentence: a, b and c."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def sentence(said: str) -> str:
    """Return what is said as a sentence: with a capital letter, and a full stop."""
    return f"{said[0].upper()}{said[1:]}."
