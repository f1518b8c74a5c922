"""What placement has to do with a row that got slower.

Times are averages over the classes of placement, so what merely lies elsewhere than before is as
fast as before. An edit within a function moves its loops by bytes, though, and one of the classes
may then be the slow one where none was. Work that was added shows in all of them.
"""

import dataclasses
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.gate.counts import Counted, count_variants
from harness.gate.finding import Change, Finding
from harness.gate.lanes import Compiled
from harness.gate.tolerance import Tolerances
from harness.measurement.tell import Tell
from workloads.conditions import DEFAULT_CONDITIONS

_ALIKE = 1.001
"""Instructions are as many as before if they are not more than so many times as many."""
Subject = tuple[str, str, str]
"""Operation, variant and toolchain."""


def subject(of: Counted | Finding) -> Subject:
    """Return what a count or a finding is about, on whatever trace."""
    return of.operation, of.variant, of.toolchain


def is_slower_in_some(finding: Finding, allowed: Tolerances) -> bool:
    """Say whether a row got slower, and that in some classes of placement but not in all.

    Where code calls other units, or the compiler's own library (which counts bits where a CPU's
    instruction may not be used), it is the classes of both together that count, and a function that
    has moved within its unit meets others than before: one class may gain what another loses.
    """
    slower = _slower_classes(finding, allowed)
    return finding.change is Change.SLOWER and 0 < slower < len(finding.placements)


def _slower_classes(finding: Finding, allowed: Tolerances) -> int:
    tolerance = allowed.of(*finding.about)
    return sum(ratio < 1 - tolerance for ratio in finding.placements)


def of_equal_instructions(compiled: Sequence[Compiled], tell: Tell) -> frozenset[Subject] | None:
    """Return the pairs that take as many instructions as before; None if they cannot be counted."""
    try:
        before, after, _ = count_variants(compiled, DEFAULT_CONDITIONS, tell)
    except BadInput:  # valgrind is not here
        return None
    more = {subject(key) for key, count in before.items() if after[key] > count * _ALIKE}
    return frozenset({subject(key) for key in before} - more)


def settle_placement(finding: Finding, allowed: Tolerances, equal: bool | None) -> Finding:
    """Return ``finding``, undecided if it is not slower in every class and does not do more.

    Where instructions cannot be counted, more work looks the same in code that depends on placement
    by itself; then it is undecided only if it is slower in one class alone.

    Args:
        equal: whether it takes as many instructions as before; None if they cannot be counted.
    """
    if not is_slower_in_some(finding, allowed):
        return finding
    if equal is None:
        if _slower_classes(finding, allowed) > 1:
            return finding
    elif not equal:
        return finding
    count = "as many instructions as before" if equal else "its instructions were not counted"
    reason = f"it depends on placement ({finding.by_placement()}; {count})"
    return dataclasses.replace(finding, change=Change.UNDECIDED, reason=reason)
