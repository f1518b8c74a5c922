"""Requirements: speedups that a project asks for, whatever they were before."""

import dataclasses
import itertools
import math
import re
from collections.abc import Collection, Sequence

from harness.base.errors import BadInput
from harness.gate.decision import Comparison, compare_pairs, decide
from harness.gate.finding import Basis, Change, Compared, Verdict
from harness.gate.named_rows import FORM, NamedRows, parse_rows
from harness.gate.row import Row
from harness.gate.stored import slowed_now
from harness.measurement.plan import Plan
from workloads.conditions import CONDITIONS, Condition, find_condition

_FORM = f"{FORM} >= SPEEDUP"
_MOST = 1e6  # times as fast; beyond, somebody has mistyped
_WIDTH = 0.02
"""A half-width beyond which an interval that holds the required speedup decides nothing."""


@dataclasses.dataclass(frozen=True)
class Requirement:
    """The speedup that rows must have, at least."""

    text: str
    rows: NamedRows
    speedup: float


def conditions_of(
    conditions: Sequence[Condition], requirements: Sequence[Requirement]
) -> tuple[Condition, ...]:
    """Return ``conditions`` with those that ``requirements`` are about."""
    named = (name for one in requirements for name in one.rows.conditions())
    known = (find_condition(name) for name in named if name in CONDITIONS)
    return tuple(dict.fromkeys((*conditions, *known)))


def parse_requirement(text: str, own_traces: Collection[str] = ()) -> Requirement:
    """Read a requirement such as ``cond1 multi_page >= 8``.

    Args:
        own_traces: what traces are called that stand beside the conditions.

    Raises:
        BadInput: it has another form, or names something that does not exist.
    """
    found = re.fullmatch(r"\s*(\S+\s+\S+(?:\s+\S+){0,2}?)\s*>=\s*([\d.]+)\s*", text)
    if not found:
        raise BadInput(f"requirement {text!r} cannot be read; its form is '{_FORM}'.")
    rows, speedup = found.groups()
    try:
        meant = parse_rows(rows, own_traces)
        number = float(speedup)
        if not 0 < number < _MOST:
            raise BadInput(f"a speedup of {speedup:.20} is none; give one such as 8.")
    except BadInput as error:
        raise BadInput(f"requirement {text!r}: {error}") from None
    except ValueError:
        raise BadInput(f"requirement {text!r}: {speedup} is no number.") from None
    return Requirement(text.strip(), meant, number)


def of_operation(requirements: Sequence[Requirement], operation: str) -> list[Requirement]:
    """Return those that are about variants of ``operation``."""
    return [one for one in requirements if one.rows.operation == operation]


def check_rows(requirements: Sequence[Requirement], plan: Plan) -> None:
    """Make sure that a plan has rows for all that ``requirements`` of its operation are about.

    Raises:
        BadInput: it has not, so that one would never be checked, or in part.
    """
    rows = [
        (plan.lanes[number], trace.key)
        for _, number in plan.pairs()
        for trace in plan.traces
        if plan.lanes[number].is_judged
    ]
    for one in of_operation(requirements, plan.operation):
        meant = one.rows
        there = {
            (lane.variant, key.rsplit("-", 1)[0])
            for lane, key in rows
            if meant.concerns_lane(plan.operation, lane, key)
        }
        for variant, condition in itertools.product(meant.variants, meant.conditions()):
            if (variant, condition) not in there:
                where = " ".join(filter(None, (condition, meant.origin, meant.toolchain)))
                measured = ", ".join(dict.fromkeys(lane.variant for lane, _ in rows))
                raise BadInput(
                    f"requirement '{one.text}' cannot be checked, since {variant} has no row on "
                    f"{where}; rows are of {measured or 'nothing'}."
                )


def check_requirements(requirements: Sequence[Requirement], rows: Sequence[Row]) -> Verdict:
    """Compare what was measured with ``requirements``; also say which were not measured.

    What something has slowed is not called slower.
    """
    pairs = [(one, row) for one in requirements for row in rows if one.rows.concerns(*row.about)]
    comparisons = [_compare(requirement, row.logs) for requirement, row in pairs]
    changes = decide(comparisons, [0.0] * len(pairs), _WIDTH)
    findings = []
    for (requirement, row), compared, change in zip(pairs, comparisons, changes, strict=True):
        met = Change.UNCHANGED if change is Change.FASTER else change
        if met is Change.SLOWER and row.run.is_slowed:
            met = Change.UNDECIDED
        findings.append(row.finding(Basis.REQUIREMENT, "times", requirement.speedup, compared, met))
    measured = {requirement.text for requirement, _ in pairs}
    missing = [
        f"requirement '{requirement.text}' was not measured"
        for requirement in requirements
        if requirement.text not in measured
    ]
    slowed = [slowed_now(row.run) for (_, row), found in zip(pairs, findings, strict=True)
              if found.change is Change.UNDECIDED]  # fmt: skip
    why = tuple(dict.fromkeys(filter(None, (*missing, *slowed))))
    return Verdict(tuple(findings), undecided=why, compared=(asked_for(len(measured)),))


def asked_for(checked: int) -> Compared:
    """Return what was compared where so many requirements were checked."""
    return Compared(Basis.REQUIREMENT, "what is required", checked)


def _compare(requirement: Requirement, logs: Sequence[float]) -> Comparison:
    required = math.log(requirement.speedup)
    return compare_pairs([log - required for log in logs], 0.0)
