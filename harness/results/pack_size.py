"""The size of a pack: what it may be."""

from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import BadInput
from harness.results.members import LARGEST_MEMBER

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
            f"{LARGEST_RESULT >> 20}, {LARGEST_MEMBER >> 20} a member; measure fewer variants."
        )
    if len(contents) > MOST_MEMBERS:
        raise BadInput(
            f"{folder} has {len(contents)} tables and documents, and a pack at most "
            f"{MOST_MEMBERS}; pack its folders one by one."
        )
