"""Choice: which of several references is compared with.

Speedups are a CPU's, so that its own is taken. Instructions depend on the compiler alone, and the
newest that was counted with this one knows most of the variants as they are.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.comparability import usable_counts
from harness.gate.reference import (
    GATE,
    REMAKE,
    RESULTS,
    SUFFIX,
    Reference,
    read_reference,
    stored_at,
)
from harness.machine.cpu import cpu_slug
from harness.results.design import Design, design_here, design_of
from harness.results.environment import read_environment


def find_timed(bases: Sequence[Path] = ()) -> tuple[Reference, ...]:
    """Read the references at that one of ``bases`` which fits this CPU, or else is nearest.

    Without any, it is one of the committed ones: that which is called by this CPU if it is of it,
    else the one that fits.

    Raises:
        BadInput: there is none, or one cannot be read.
    """
    here = design_here()
    candidates = _candidates(bases, here)
    fitting = (base for base in candidates if _design(base).fits(here))
    best = next(fitting, None) or min(candidates, key=lambda base: _design(base).differences(here))
    return _read(best, len(candidates))


def find_counted(bases: Sequence[Path] = (), asked: Sequence[str] = ()) -> tuple[Reference, ...]:
    """Read the references at the newest of ``bases`` whose instructions can be compared here.

    Without any, it is one of the committed ones. Where none can be compared the newest is read,
    which says why.

    Args:
        asked: toolchains; empty for all that a reference has.

    Raises:
        BadInput: there is none, or one cannot be read.
    """
    candidates = _candidates(bases, design_here())

    def rank(found: Sequence[Reference]) -> tuple[bool, str]:
        usable = any(usable_counts(one, asked).toolchains for one in found)
        return usable, max(str(one.environment.get("date", "")) for one in found)

    return max((_read(base, len(candidates)) for base in candidates), key=rank)


def _candidates(given: Sequence[Path], here: Design) -> Sequence[Path]:
    """Return the bases that are ``given``, or those of the committed ones of this architecture."""
    for base in given:
        if not stored_at(base):
            read_reference(base)  # which says what is missing
    if given:
        return given
    found = [base for base in _committed() if _design(base).architecture == here.architecture]
    if not found:
        raise BadInput(
            f"there is no reference for {here.architecture} in {RESULTS}; {REMAKE}, or name one "
            "with --baseline."
        )
    return found


def _committed() -> list[Path]:
    """Return the bases of all references in the current folder, that of this CPU's name first."""
    own = RESULTS / f"{cpu_slug()}{SUFFIX}"
    bases = dict.fromkeys([own] if stored_at(own) else [])
    for path in sorted(RESULTS.glob(f"*{SUFFIX}*/{GATE}")):
        name, suffix, _ = path.parent.name.rpartition(SUFFIX)
        bases[RESULTS / f"{name}{suffix}"] = None
    return list(bases)


def _read(base: Path, among: int) -> tuple[Reference, ...]:
    """Read what is at ``base``, the one that was chosen ``among`` so many."""
    beside = f"; no other of {among} references is nearer" if among > 1 else ""
    found = map(read_reference, stored_at(base))
    return tuple(dataclasses.replace(one, beside=beside) for one in found)


def _design(base: Path) -> Design:
    return design_of(read_environment(stored_at(base)[0])["cpu"])
