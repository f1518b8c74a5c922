"""The question that the gate is asked."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.gate.requirement import Requirement
from workloads.conditions import Condition, find_condition
from workloads.draws import DEFAULT_SEED


@dataclasses.dataclass(frozen=True)
class Question:
    """What the gate is asked."""

    conditions: tuple[Condition, ...]
    reference: Path | None = None
    """The stored result to compare with; None if no evidence needs one."""
    time_reference: bool = False
    """Whether anything got slower than the reference."""
    against: tuple[str, ...] = ()
    """Whether anything got slower than in a revision (one name), or one file than another (two)."""
    merge_base: bool = False
    """Whether the revision stands for the commit at which the working tree has left it."""
    instructions: bool = False
    """Whether anything takes more instructions: than in ``against``, or than the reference."""
    requirements: tuple[Requirement, ...] = ()
    """Whether these hold."""
    toolchains: tuple[str, ...] = ()
    """Empty for the default one."""
    timed: bool = True
    """Whether what is compared with ``against`` is timed too, where instructions are counted."""
    even_unchanged: bool = False
    """Whether pairs that have compiled to the same code are timed too."""
    tolerance: float | None = None
    """In place of each evidence's own."""
    budget: float = 40.0
    """Seconds of measuring for each kind of evidence."""
    seed: int = DEFAULT_SEED

    def allowed(self, own: float) -> float:
        """Return the tolerance of an evidence whose own is ``own``."""
        return own if self.tolerance is None else self.tolerance

    def all_conditions(self) -> tuple[Condition, ...]:
        """Return the conditions that are asked for, and those that requirements are about."""
        return conditions_of(self.conditions, self.requirements)


def conditions_of(
    conditions: Sequence[Condition], requirements: Sequence[Requirement]
) -> tuple[Condition, ...]:
    """Return ``conditions`` with those that ``requirements`` are about."""
    named = (name for one in requirements for name in one.conditions())
    return tuple(dict.fromkeys((*conditions, *map(find_condition, named))))
