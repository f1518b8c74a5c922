"""Findings of the gate, and the verdict that they add up to."""

import dataclasses
import enum
from collections.abc import Sequence


class Basis(enum.StrEnum):
    """What a finding rests on."""

    REFERENCE = "reference"
    """A stored result."""
    REVISION = "revision"
    """Another version of the variant's file, timed in turn with it."""
    INSTRUCTIONS = "instructions"
    """What valgrind's callgrind counts."""
    REQUIREMENT = "requirement"
    """A speedup that the project asks for."""


class Change(enum.StrEnum):
    """What became of a variant on a trace."""

    SLOWER = "slower"
    UNDECIDED = "undecided"
    UNCHANGED = "unchanged"
    FASTER = "faster"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One variant on one trace, before and after."""

    basis: Basis
    operation: str
    variant: str
    toolchain: str
    trace: str
    """Condition and origin."""
    unit: str
    """Of before and after: ``times`` (a speedup), ``ns`` a call, or ``instructions`` a page."""
    before: float
    after: float
    ratio: float
    """Speed after / speed before, so below 1 is slower."""
    low: float
    high: float
    """The 95 % interval of the ratio; the ratio itself where nothing is random."""
    change: Change
    reason: str = ""
    """Why nothing could be decided; or empty."""
    placements: tuple[float, ...] = ()
    """The ratio where both sides lie in the same class of placement, by class; empty where it was
    not timed, or placement cannot be varied."""
    against: str = ""
    """What it is compared with, where one kind of evidence compares with several."""
    nanoseconds: tuple[float, float] | None = None
    """Of a call now: of what the variant is timed beside (its original, or itself as it was), and
    of the variant. None where nothing was timed."""

    @property
    def about(self) -> tuple[str, str, str, str]:
        """Operation, variant, toolchain and trace."""
        return self.operation, self.variant, self.toolchain, self.trace

    @property
    def name(self) -> str:
        """The name under which services keep its history."""
        return f"{self.operation}/{self.variant}/{self.trace}/{self.toolchain}/{self.basis}"

    def by_placement(self) -> str:
        """Return the ratio in each class of placement, in words."""
        return f"by placement {', '.join(f'{ratio:.3f}' for ratio in self.placements)}"


@dataclasses.dataclass(frozen=True)
class Compared:
    """What one kind of evidence has compared with what; its rows are the findings."""

    basis: Basis
    against: str
    """A revision with its commit, a file, or a reference; who asks for it, of requirements."""
    subjects: int = 0
    """Variants that may have the same code, each toolchain's by itself; or requirements."""
    same_code: int = 0
    """Those of them that have compiled to the very code of before, and so cannot differ."""
    left_out: tuple[str, ...] = ()
    """What could not be compared, each with the reason."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """All that a gate has found."""

    findings: tuple[Finding, ...]
    broken: tuple[str, ...] = ()
    """A sentence for each variant that counts wrong, crashes or the like."""
    undecided: tuple[str, ...] = ()
    """Why something could not be decided, for what has no finding of its own."""
    remarks: tuple[str, ...] = ()
    """What a reader should know besides."""
    compared: tuple[Compared, ...] = ()
    """What was asked for; a question without an answer is here with nothing that took part."""
    measured_on: str = ""
    """The machine and its compilers, in a sentence for a reader."""

    def having(self, change: Change) -> list[Finding]:
        """Return the findings with ``change``."""
        return [finding for finding in self.findings if finding.change is change]

    def of(self, basis: Basis) -> list[Finding]:
        """Return the findings that rest on ``basis``."""
        return [finding for finding in self.findings if finding.basis is basis]

    def rows_of(self, compared: Compared) -> list[Finding]:
        """Return the findings of what was compared."""
        return [row for row in self.of(compared.basis) if row.against in ("", compared.against)]

    @property
    def failed(self) -> bool:
        """Whether something got slower, or broke."""
        return bool(self.broken or self.having(Change.SLOWER))

    @property
    def empty(self) -> bool:
        """Whether nothing at all was compared, so that nothing can be said."""
        same_code = any(one.same_code for one in self.compared)
        return not (self.findings or self.broken or same_code)

    @property
    def open(self) -> bool:
        """Whether something, or everything, could not be decided."""
        return bool(self.empty or self.undecided or self.having(Change.UNDECIDED))


def join(verdicts: Sequence[Verdict]) -> Verdict:
    """Return ``verdicts`` as one."""
    return Verdict(
        tuple(finding for verdict in verdicts for finding in verdict.findings),
        tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.broken)),
        tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.undecided)),
        tuple(dict.fromkeys(text for verdict in verdicts for text in verdict.remarks)),
        tuple(one for verdict in verdicts for one in verdict.compared),
    )
