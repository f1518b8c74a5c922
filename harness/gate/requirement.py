"""Requirements: speedups that a project asks for, whatever they were before."""

import dataclasses
import math
import re
from collections.abc import Sequence

from harness.gate.decision import Comparison, compare_pairs, decide
from harness.gate.finding import Change, Evidence, Finding
from harness.gate.timed import Row
from harness.measurement.lineup import BEST, recommended_variants
from harness.native.toolchain import toolchain_names
from harness.native.variant import find_variant
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.errors import BadInput
from workloads.trace import ORIGINS

EVERY = "all"
_FORM = "CONDITION VARIANT [ORIGIN] [TOOLCHAIN] >= SPEEDUP"
_WIDTH = 0.02
"""A half-width beyond which an interval that holds the required speedup decides nothing."""


@dataclasses.dataclass(frozen=True)
class Requirement:
    """The speedup that a variant of *count* must have, at least."""

    text: str
    condition: str
    """Or ``all`` of the letter's."""
    variant: str
    """Or ``recommended``."""
    origin: str
    """Or empty for both."""
    toolchain: str
    """Or empty for all that are measured."""
    speedup: float

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What it is about; two of the same subject differ in the speedup alone."""
        return self.condition, self.variant, self.origin, self.toolchain

    def variants(self) -> tuple[str, ...]:
        """Return the names of the variants that it is about on this machine."""
        return recommended_variants("count") if self.variant == BEST else (self.variant,)

    def conditions(self) -> tuple[str, ...]:
        """Return the names of the conditions that it is about."""
        return DEFAULT_CONDITIONS if self.condition == EVERY else (self.condition,)


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
        if variant != BEST:
            find_variant(variant, "count")
        for word in further.split():
            if word in ORIGINS:
                origin = word
            elif word in toolchain_names():
                toolchain = word
            else:
                raise BadInput(f"{word!r} is no origin and no toolchain.")
        number = float(speedup)
    except BadInput as error:
        raise BadInput(f"requirement {text!r}: {error}") from None
    except ValueError:
        raise BadInput(f"requirement {text!r}: {speedup} is no number.") from None
    return Requirement(text.strip(), condition, variant, origin, toolchain, number)


def check_requirements(
    requirements: Sequence[Requirement], rows: Sequence[Row]
) -> tuple[list[Finding], list[str]]:
    """Compare what was measured with ``requirements``; also say which were not measured."""
    pairs = [(one, row) for one in requirements for row in rows if _concerns(one, row)]
    comparisons = [_compare(requirement, row.logs) for requirement, row in pairs]
    changes = decide(comparisons, 0.0, _WIDTH)
    findings = []
    for (requirement, row), compared, change in zip(pairs, comparisons, changes, strict=True):
        met = Change.UNCHANGED if change is Change.FASTER else change
        findings.append(
            row.finding(Evidence.REQUIREMENT, "times", requirement.speedup, compared, 0.0, met)
        )
    measured = {requirement.text for requirement, _ in pairs}
    missing = [
        f"requirement '{requirement.text}' was not measured"
        for requirement in requirements
        if requirement.text not in measured
    ]
    return findings, missing


def _concerns(requirement: Requirement, row: Row) -> bool:
    lane = row.plan.lanes[row.lane]
    condition, _, origin = row.key.rpartition("-")
    return (
        lane.variant in requirement.variants()
        and condition in requirement.conditions()
        and requirement.origin in ("", origin)
        and requirement.toolchain in ("", lane.toolchain)
    )


def _compare(requirement: Requirement, logs: Sequence[float]) -> Comparison:
    required = math.log(requirement.speedup)
    return compare_pairs([log - required for log in logs], 0.0)
