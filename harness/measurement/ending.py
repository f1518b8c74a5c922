"""How a measuring process ended, in its own words: what ends without any was ended by a variant.

A variant can end the process that calls it in many ways, some of which look like ours: ``exit(0)``
in the middle of a round, or a process of its own that goes on with our code. So the process says at
its very end how it ended, and only it can.
"""

import dataclasses
import enum
import json
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.files import write_text


class Kind(enum.StrEnum):
    """What a measuring process has to say."""

    DONE = "done"
    """Its samples are written."""
    FAILED = "failed"
    """Variants were added to the failures; the others are to be measured."""
    REFUSED = "refused"
    """It was given something that cannot be used; ``said`` is a sentence for the user."""
    BROKEN = "broken"
    """Something that nobody foresaw; ``said`` is what."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """The last words of a measuring process."""

    kind: Kind
    said: str = ""


def write_ending(path: Path, ending: Ending) -> None:
    """Write ``ending``, whole or not at all."""
    write_text(path, json.dumps(dataclasses.asdict(ending)))


def read_ending(path: Path) -> Ending | None:
    """Return how the process ended; None if it was ended before it could say so."""
    try:
        return decode_json(path.read_bytes(), Ending)
    except (OSError, ValueError):
        return None
