"""A budget: how long a measurement may take."""

import dataclasses
from typing import TYPE_CHECKING

from harness.base.errors import BadInput

if TYPE_CHECKING:  # which a command that asks for its help alone does not load
    from harness.measurement.run import Run


class BudgetTooShort(BadInput):
    """Not even one round fits into the budget.

    The gate, which divides a budget by what has changed, takes it for undecided.
    """

    run: "Run | None" = None
    """What is known by then, if it was begun: which variants went astray."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """When a measurement ends, however precise it is by then."""

    seconds: float
    named: bool = True
    """Whether somebody has named it. One that nobody has named refuses nothing: on a slow host two
    processes are measured that take longer, as an interval needs two."""

    @classmethod
    def of(cls, named: float | None, default: float) -> "Budget":
        """Return the seconds that somebody has ``named``, or the ``default``."""
        return cls(default, named=False) if named is None else cls(named)

    def check(self, longest: float, least: str = "") -> None:
        """Check that a round fits, if somebody named the budget.

        Args:
            longest: what a round takes, in seconds.
            least: stands behind it if it is a lower bound.

        Raises:
            BudgetTooShort: it does not.
        """
        if self.named and longest > self.seconds:
            raise BudgetTooShort(
                f"a budget of {self.seconds:g} s is shorter than one round of all variants, which "
                f"takes {longest:.1f} s{least} here; give more with --budget, or measure less."
            )
