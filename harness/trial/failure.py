"""Failures: variants that went astray in a run, which goes on without them."""

import dataclasses
import json
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import write_text


@dataclasses.dataclass(frozen=True)
class Failure:
    """What a variant did wrong, and where it was first seen."""

    lane: int
    variant: str
    toolchain: str
    trace: str
    """The key of the trace."""
    snapshot: int
    what: str
    """Goes on the sentence "variant NAME ...", for example ``counts 3 dirty pages``."""

    def sentence(self) -> str:
        """Say it to the user."""
        return (
            f"variant {self.variant} ({self.toolchain}) {self.what}, in snapshot {self.snapshot} "
            f"of {self.trace}"
        )


def read_failures(path: Path) -> tuple[Failure, ...]:
    """Return the failures in ``path``; none if there is no such file.

    Raises:
        BadInput: the file is damaged.
    """
    if not path.exists():
        return ()
    try:
        return decode_json(path.read_bytes(), tuple[Failure, ...])
    except (OSError, ValueError) as error:
        raise BadInput(
            f"the failures in {path} cannot be read ({error}); start anew without --resume."
        ) from None


def add_failures(path: Path, failures: list[Failure]) -> None:
    """Add ``failures`` to those in ``path``."""
    known = [*read_failures(path), *failures]
    write_text(path, json.dumps([dataclasses.asdict(failure) for failure in known], indent=1))
