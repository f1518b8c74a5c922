"""An errand: the command that every host is given, and what comes back from it."""

import dataclasses
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULT = "result"
"""The folder, in that of an errand, which the command writes and which is brought back."""
STOPPED = 130
"""The exit status of a command that was interrupted and has kept what it had."""


@dataclasses.dataclass(frozen=True)
class Errand:
    """A command for hosts. What is the same on all is in it, and nothing that is of one of them."""

    run: str
    """What this run is called; one that is gone on with keeps it."""
    module: str
    """Of ``harness.commands``, whose ``run`` takes the options."""
    options: Mapping[str, Any]
    """What the command was given, JSON values only; where it writes is each host's own."""
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """What of the user's own files the command reads, by relative path."""

    def command(self, result: Path, resume: bool, cpus: list[int]) -> str:
        """Return it as ``harness.on_host`` reads it.

        Args:
            result: where its results go on this host.
            resume: whether an unfinished run is there.
            cpus: those that its process runs on.
        """
        options = {**self.options, "output": str(result)}
        # None is a command that a user cannot have go on; here it does with what a host has kept.
        if "resume" in options and (resume or options["resume"] is not None):
            options["resume"] = resume
        if options.get("plots"):
            options["plots"] = str(result / "plots")
        return json.dumps({"module": self.module, "options": options, "cpus": cpus})


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an errand on a host."""

    status: int
    """The exit status of the command: 0 or 1 with results, anything else without."""
    said: str
    """Its last sentence, if there are no results."""
    archive: bytes = b""
    """Its folder of results, packed."""
    resumable: bool = False
    """Whether the host keeps what it has measured, to be gone on with."""

    @property
    def has_results(self) -> bool:
        """Whether there are results; a variant may have failed in them."""
        return self.status in (0, 1)


def new_run() -> str:
    """Return a name that no other run has."""
    return uuid.uuid4().hex[:16]
