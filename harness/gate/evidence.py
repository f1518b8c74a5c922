"""Evidence: what collects one kind of it for the gate, which joins the verdicts."""

import dataclasses
from pathlib import Path
from typing import Protocol

from harness.gate.finding import Verdict
from harness.gate.tolerance import RowTolerance, Tolerances
from harness.measurement.tell import Tell
from workloads.conditions import Condition
from workloads.draws import DEFAULT_SEED


@dataclasses.dataclass(frozen=True)
class Scope:
    """What evidence of every kind is collected on, and how long that may take."""

    conditions: tuple[Condition, ...]
    toolchains: tuple[str, ...] = ()
    """Names; empty for those of a reference, or else the default one."""
    tolerance: float | None = None
    """In place of each evidence's own."""
    tolerances: tuple[RowTolerance, ...] = ()
    """Of some rows, whatever the evidence."""
    traces: tuple[Path, ...] = ()
    """Of the project's own, beside those of the conditions."""
    budget: float = 40.0
    """Seconds of measuring for each kind of evidence."""
    seed: int = DEFAULT_SEED

    def allowed(self, own: float) -> Tolerances:
        """Return the tolerances of an evidence whose own is ``own``."""
        return Tolerances(own if self.tolerance is None else self.tolerance, self.tolerances)


class Evidence(Protocol):
    """What the gate is asked for."""

    def collect(self, tell: Tell) -> Verdict:
        """Compare, and say what was found.

        Raises:
            BadInput: it cannot be compared.
        """
