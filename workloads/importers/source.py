"""What every import says of its source, and how it is followed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import BadInput
from harness.base.text import shown
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Source

_LONGEST_INTERVAL = 24 * 3600 * 1000  # ms
_MOST_NAMES = 20

Values = Mapping[str, tuple[Any, str]]
"""Values with their units, by name."""


def imported(
    name: str, memory: GuestMemory, kind: str, paths: Sequence[Path], values: Values
) -> Source:
    """Return the source of a trace called ``name``, imported from ``paths`` in their order."""
    names = [shown(path.name) for path in paths]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES // 2 : -(_MOST_NAMES // 2)] = ["..."]
    files: dict[str, Any] = {"file": names[0]}
    if len(paths) > 1:
        files = {"files": ", ".join(names), "files_in_all": len(paths)}
    facts: dict[str, tuple[Any, str]] = {"imported_from": (kind, "")}
    facts |= {key: (value, "") for key, value in files.items()}
    facts |= values
    parameters = {key: {"value": value, "unit": unit} for key, (value, unit) in facts.items()}
    return Source(name, "imported", memory, None, parameters)


def interval_value(interval: int) -> Values:
    """Return the time between two ticks as a parameter of a trace.

    Raises:
        BadInput: there is none, or nobody would have waited for so long.
    """
    if not 0 < interval <= _LONGEST_INTERVAL:
        raise BadInput(f"--interval must be from 1 to {_LONGEST_INTERVAL} ms; give the real one.")
    return {"interval": (interval, "ms")}


def followed(snapshots: Iterator[Snapshot], ticks: int, report: Report) -> Iterator[Snapshot]:
    """Yield ``snapshots``, of which there are ``ticks``, and report each."""
    for number, snapshot in enumerate(snapshots, start=1):
        yield snapshot
        report("ticks", number, ticks)
