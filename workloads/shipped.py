"""The traces that come with dirtyscan, by name: ``cond1-recorded``, ``cond1-captured`` ..."""

from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import did_you_mean, shortened
from workloads.captured import captured_trace
from workloads.conditions import CONDITIONS
from workloads.recorded import recorded_trace


def shipped_traces() -> Mapping[str, Path]:
    """Return their paths by name."""
    found = {
        f"{condition}-{origin}": find(condition)
        for condition in CONDITIONS
        for origin, find in (("recorded", recorded_trace), ("captured", captured_trace))
    }
    return {name: path for name, path in found.items() if path}


def trace_path(name: str) -> Path:
    """Return the path of a trace that is named by its file, or as one that comes with dirtyscan.

    Raises:
        BadInput: it is neither, and is written as no path is.
    """
    path, shipped = Path(name), shipped_traces()
    if path.exists() or path.suffix or path.name != name:
        return path
    if name not in shipped:
        raise BadInput(
            f"trace {shortened(name)!r} is no file, and none of those that come with dirtyscan: "
            f"{', '.join(shipped)}{did_you_mean(name, shipped)}."
        )
    return shipped[name]
