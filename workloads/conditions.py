"""The conditions by name: which guest each of them is."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from harness.base.errors import BadInput
from workloads.guest import Guest, GuestMemory
from workloads.page_cache import FileCopier, FileCopyParameters, FileReader, FileReadParameters
from workloads.region import (
    AlternatingEverywhereParameters,
    AlternatingParameters,
    RegionParameters,
    RegionWriter,
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a guest does during a migration."""

    name: str
    title: str
    summary: str
    parameters: type[Any]
    guest: Callable[[GuestMemory, Any, int], Guest]
    default: bool = True
    """Whether it is one of the letter's four, which are run when none is named."""


_ALL = (
    Condition(
        "cond1",
        "Cond1: contiguous writes",
        "periodically dirties one contiguous region of half of guest memory",
        RegionParameters,
        RegionWriter,
    ),
    Condition(
        "cond2",
        "Cond2: alternating pages",
        "periodically dirties every other page of a region of half of guest memory",
        AlternatingParameters,
        RegionWriter,
    ),
    Condition(
        "cond3",
        "Cond3: reading a file",
        "reads a file of six times guest memory through the page cache",
        FileReadParameters,
        FileReader,
    ),
    Condition(
        "cond4",
        "Cond4: reading and writing",
        "copies a file of six times guest memory through the page cache",
        FileCopyParameters,
        FileCopier,
    ),
    Condition(
        "cond2-full",
        "Cond2, other reading: alternating everywhere",
        "periodically dirties every other page of all of guest memory",
        AlternatingEverywhereParameters,
        RegionWriter,
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
            f"condition {name!r} is not known; choose from {', '.join(CONDITIONS)}."
        ) from None
