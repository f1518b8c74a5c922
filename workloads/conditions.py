"""The conditions by name: which guest each of them is."""

import dataclasses
from collections.abc import Mapping

from harness.base.errors import BadInput
from harness.base.text import did_you_mean
from workloads.guest import GuestParameters
from workloads.page_cache import FileCopyParameters, FileReadParameters
from workloads.region import (
    AlternatingEverywhereParameters,
    AlternatingParameters,
    RegionParameters,
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a guest does during a migration."""

    name: str
    title: str
    summary: str
    parameters: type[GuestParameters]
    default: bool = True
    """Whether it is one of the letter's four, which are run when none is named."""


_ALL = (
    Condition(
        "cond1",
        "Cond1: contiguous writes",
        "periodically dirties one contiguous region of half of guest memory",
        RegionParameters,
    ),
    Condition(
        "cond2",
        "Cond2: alternating pages",
        "periodically dirties every other page of a region of half of guest memory",
        AlternatingParameters,
    ),
    Condition(
        "cond3",
        "Cond3: reading a file",
        "reads a file of six times guest memory through the page cache",
        FileReadParameters,
    ),
    Condition(
        "cond4",
        "Cond4: reading and writing",
        "copies a file of six times guest memory through the page cache",
        FileCopyParameters,
    ),
    Condition(
        "cond2-full",
        "Cond2, other reading: alternating everywhere",
        "periodically dirties every other page of all of guest memory",
        AlternatingEverywhereParameters,
        default=False,
    ),
)
CONDITIONS: Mapping[str, Condition] = {condition.name: condition for condition in _ALL}
DEFAULT_CONDITIONS = tuple(condition.name for condition in _ALL if condition.default)


def find_condition(name: str) -> Condition:
    """Return the condition called ``name``.

    Raises:
        BadInput: there is none.
    """
    try:
        return CONDITIONS[name]
    except KeyError:
        raise BadInput(
            f"condition {name!r} is not known; choose from {', '.join(CONDITIONS)}"
            f"{did_you_mean(name, CONDITIONS)}."
        ) from None
