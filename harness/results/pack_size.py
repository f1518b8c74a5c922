"""The size of a pack: what it may be, and what is left out of one that would be larger."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.results.members import LARGEST_MEMBER
from harness.results.result import PROCESSES, PYPERF, SNAPSHOTS

MOST_MEMBERS = 200
LARGEST_RESULT = 128 << 20
"""What the members may take together, unpacked."""


def check_sizes(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Check that what the members take is what a pack may have.

    Raises:
        BadInput: it is not.
    """
    total = sum(map(len, contents.values()))
    largest = max(contents, key=lambda name: len(contents[name]))
    if len(contents[largest]) > LARGEST_MEMBER or total > LARGEST_RESULT:
        raise BadInput(
            f"{folder} takes {total >> 20} MiB, {largest} most of them, and a pack at most "
            f"{LARGEST_RESULT >> 20}, {LARGEST_MEMBER >> 20} a member; {_instead(largest, '')}."
        )
    if len(contents) > MOST_MEMBERS:
        raise BadInput(
            f"{folder} has {len(contents)} tables and documents, and a pack at most "
            f"{MOST_MEMBERS}; pack its folders one by one."
        )


def too_large(folder: Path, most: int, size: int, infos: Sequence[zipfile.ZipInfo]) -> BadInput:
    """Return that the archive made of ``folder`` has more than ``most`` bytes.

    The sentence says what to leave out.

    Args:
        size: of the archive, in bytes.
        infos: its members.
    """
    largest = max(infos, key=lambda info: info.compress_size)
    instead = _instead(largest.filename, f", which takes {_mib(largest.compress_size)},")
    return BadInput(
        f"{folder} takes {_mib(size)} packed, and no pack has more than {_mib(most)}; {instead}."
    )


def _instead(largest: str, takes: str) -> str:
    """Return what to do about a member: samples may be left out, as a result stands without."""
    if "/" in largest:
        return "pack its folders one by one, or measure fewer variants"
    if largest in (PROCESSES, PYPERF, SNAPSHOTS):
        return f"pack a copy of it without {largest}{takes} or measure fewer variants"
    return "measure fewer variants"


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
