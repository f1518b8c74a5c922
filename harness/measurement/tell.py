"""Telling how far work is: measurement says it, and presentation shows it."""

from typing import Protocol


class Tell(Protocol):
    """Is told how far work is; a :data:`workloads.synthesis.Report` that knows units too."""

    def __call__(self, what: str, done: float, of: float, unit: str = "steps") -> None:
        """Take notice that ``done`` of ``of`` (both in ``unit``) are done of ``what``."""


def quiet(what: str, done: float, of: float, unit: str = "steps") -> None:
    """Take no notice."""
