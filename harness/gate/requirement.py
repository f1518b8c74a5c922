"""Requirements: speedups that a project asks for, whatever they were before."""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.gate.decision import Comparison, compare_pairs, decide
from harness.gate.finding import Basis, Change, Compared, Verdict
from harness.gate.row import Row
from harness.measurement.choice import BEST, recommended_variants
from harness.measurement.plan import Lane, Plan
from harness.native.finding import find_variant
from harness.native.toolchain import toolchain_names
from workloads.conditions import DEFAULT_CONDITIONS, Condition, find_condition
from workloads.trace import ORIGINS

EVERY = "all"
_FORM = "CONDITION VARIANT [ORIGIN] [TOOLCHAIN] >= SPEEDUP"
_MOST = 1e6  # times as fast; beyond, somebody has mistyped
_WIDTH = 0.02
"""A half-width beyond which an interval that holds the required speedup decides nothing."""


@dataclasses.dataclass(frozen=True)
class Requirement:
    """The speedup that a variant of *count* must have, at least."""

    text: str
    condition: str
    """Or ``all`` of the letter's."""
    variant: str
    """What its rows are called; or ``recommended``."""
    source: str
    """What it is found by: the same, or the path of a user's own."""
    origin: str
    """Or empty for both."""
    toolchain: str
    """Or empty for all that are measured."""
    speedup: float

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What it is about; two of the same subject differ in the speedup alone."""
        return self.condition, self.variant, self.origin, self.toolchain

    @property
    def sources(self) -> tuple[str, ...]:
        """What the variants that it is about are found by."""
        return self.variants if self.variant == BEST else (self.source,)

    @functools.cached_property
    def variants(self) -> tuple[str, ...]:
        """What the rows that it is about are called on this machine."""
        return recommended_variants("count") if self.variant == BEST else (self.variant,)

    def conditions(self) -> tuple[str, ...]:
        """Return the names of the conditions that it is about."""
        return DEFAULT_CONDITIONS if self.condition == EVERY else (self.condition,)

    def concerns(self, lane: Lane, key: str) -> bool:
        """Whether it is about what ``lane`` gives on the trace ``key``."""
        condition, origin = key.rsplit("-", 1)
        return (
            lane.variant in self.variants
            and condition in self.conditions()
            and self.origin in ("", origin)
            and self.toolchain in ("", lane.toolchain)
        )


def conditions_of(
    conditions: Sequence[Condition], requirements: Sequence[Requirement]
) -> tuple[Condition, ...]:
    """Return ``conditions`` with those that ``requirements`` are about."""
    named = (name for one in requirements for name in one.conditions())
    return tuple(dict.fromkeys((*conditions, *map(find_condition, named))))


def parse_requirement(text: str) -> Requirement:
    """Read a requirement such as ``cond1 multi_page >= 8``.

    Raises:
        BadInput: it has another form, or names something that does not exist.
    """
    found = re.fullmatch(r"\s*(\S+)\s+(\S+)((?:\s+\S+){0,2}?)\s*>=\s*([\d.]+)\s*", text)
    if not found:
        raise BadInput(f"requirement {text!r} cannot be read; its form is '{_FORM}'.")
    condition, variant, further, speedup = found.groups()
    origin = toolchain = ""
    try:
        if condition != EVERY:
            find_condition(condition)
        name = variant if variant == BEST else find_variant(variant, "count").name
        for word in further.split():
            if word in ORIGINS:
                origin = word
            elif word in toolchain_names():
                toolchain = word
            else:
                raise BadInput(f"{word!r} is no origin and no toolchain.")
        number = float(speedup)
        if not 0 < number < _MOST:
            raise BadInput(f"a speedup of {speedup:.20} is none; give one such as 8.")
    except BadInput as error:
        raise BadInput(f"requirement {text!r}: {error}") from None
    except ValueError:
        raise BadInput(f"requirement {text!r}: {speedup} is no number.") from None
    return Requirement(text.strip(), condition, name, variant, origin, toolchain, number)


def check_rows(requirements: Sequence[Requirement], plan: Plan) -> None:
    """Make sure that a plan has rows for everything that ``requirements`` are about.

    Raises:
        BadInput: it has not, so that one would never be checked, or in part.
    """
    rows = [
        (plan.lanes[number], trace.key)
        for _, number in plan.pairs()
        for trace in plan.traces
        if plan.lanes[number].is_judged
    ]
    for one in requirements:
        there = {
            (lane.variant, key.rsplit("-", 1)[0]) for lane, key in rows if one.concerns(lane, key)
        }
        for variant, condition in itertools.product(one.variants, one.conditions()):
            if (variant, condition) not in there:
                where = " ".join(filter(None, (condition, one.origin, one.toolchain)))
                measured = ", ".join(dict.fromkeys(lane.variant for lane, _ in rows))
                raise BadInput(
                    f"requirement '{one.text}' cannot be checked, since {variant} has no row on "
                    f"{where}; rows are of {measured or 'nothing'}."
                )


def check_requirements(requirements: Sequence[Requirement], rows: Sequence[Row]) -> Verdict:
    """Compare what was measured with ``requirements``; also say which were not measured."""
    pairs = [(one, row) for one in requirements for row in rows if one.concerns(row.lane, row.key)]
    comparisons = [_compare(requirement, row.logs) for requirement, row in pairs]
    changes = decide(comparisons, 0.0, _WIDTH)
    findings = []
    for (requirement, row), compared, change in zip(pairs, comparisons, changes, strict=True):
        met = Change.UNCHANGED if change is Change.FASTER else change
        findings.append(row.finding(Basis.REQUIREMENT, "times", requirement.speedup, compared, met))
    measured = {requirement.text for requirement, _ in pairs}
    missing = [
        f"requirement '{requirement.text}' was not measured"
        for requirement in requirements
        if requirement.text not in measured
    ]
    return Verdict(tuple(findings), undecided=tuple(missing), compared=(asked_for(len(measured)),))


def asked_for(checked: int) -> Compared:
    """Return what was compared where so many requirements were checked."""
    return Compared(Basis.REQUIREMENT, "what is required", checked)


def _compare(requirement: Requirement, logs: Sequence[float]) -> Comparison:
    required = math.log(requirement.speedup)
    return compare_pairs([log - required for log in logs], 0.0)
