"""What is found when a result is looked at."""

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_MANY = 5
"""Faults of one kind that are told; the rest are counted."""


class Kind(enum.StrEnum):
    """What something that was found means."""

    CHECKED = "checked"
    """It is as it should be."""
    REMARK = "remark"
    """It should be known, such as what results of earlier versions do not have."""
    FAULT = "fault"


class Found(NamedTuple):
    """Something that was found in a member of a result."""

    kind: Kind
    member: str
    what: str
    """A sentence without its end."""


def told(
    member: str, wrong: Sequence[str], right: str, wrong_is: Kind = Kind.FAULT
) -> Iterator[Found]:
    """Yield what is ``wrong`` with a member, or else that it is ``right``."""
    if not wrong:
        yield Found(Kind.CHECKED, member, right)
    for what in wrong[:_MANY]:
        yield Found(wrong_is, member, what)
    if len(wrong) > _MANY:
        yield Found(wrong_is, member, f"and {len(wrong) - _MANY} more of this kind")
