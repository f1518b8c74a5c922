"""Tolerances: the share of its speed that a row may lose before the gate calls it slower."""

import dataclasses
import math
import re
from collections.abc import Collection

from harness.base.errors import BadInput
from harness.base.units import parse_share
from harness.gate.named_rows import FORM, NamedRows, parse_rows

_FORM = f"{FORM} = SHARE"


@dataclasses.dataclass(frozen=True)
class RowTolerance:
    """What some rows may lose, whatever the others may."""

    rows: NamedRows
    share: float


@dataclasses.dataclass(frozen=True)
class Tolerances:
    """What each row may lose."""

    usual: float
    exceptions: tuple[RowTolerance, ...] = ()
    """The last of those that are about a row counts."""

    def of(self, operation: str, variant: str, toolchain: str, trace: str) -> float:
        """Return the share that a row may lose; ``trace`` is condition and origin."""
        for one in reversed(self.exceptions):
            if one.rows.concerns(operation, variant, toolchain, trace):
                return one.share
        return self.usual

    def finest(self, variants: Collection[str]) -> float:
        """Return the smallest share that some row of ``variants`` may lose."""
        named = (one.share for one in self.exceptions if set(one.rows.variants) & {*variants})
        return min((self.usual, *named), default=math.inf)


def parse_tolerance(text: str, own_traces: Collection[str] = ()) -> RowTolerance:
    """Read a tolerance such as ``cond2 multi_page = 3%``.

    Args:
        own_traces: what traces are called that stand beside the conditions.

    Raises:
        BadInput: it has another form, or names something that does not exist.
    """
    found = re.fullmatch(r"\s*([^=]*\S)\s*=\s*(\S+)\s*", text)
    if not found:
        raise BadInput(f"tolerance {text!r} cannot be read; its form is '{_FORM}'.")
    rows, share = found.groups()
    try:
        allowed = parse_share(share)
    except ValueError:
        allowed = 0.0
    if not 0 < allowed < 1:
        raise BadInput(f"tolerance {text!r}: {share:.20} is no share above 0; give one such as 3%.")
    try:
        return RowTolerance(parse_rows(rows, own_traces), allowed)
    except BadInput as error:
        raise BadInput(f"tolerance {text!r}: {error}") from None
