"""The report of a run: its pictures. It reads files and measures nothing."""

from pathlib import Path

from harness.figures.memory import draw_memory
from harness.figures.runtime import draw_runtime
from harness.figures.speedups import draw_speedups
from harness.figures.style import save
from harness.results import SNAPSHOTS, SPEEDUPS, read_table
from workloads.conditions import CONDITIONS
from workloads.trace import Trace, open_trace


def write_report(results: Path, plots: Path) -> list[Path]:
    """Draw the results in ``results`` into ``plots`` and return the files.

    Raises:
        BadInput: there are no results, or a file cannot be written.
    """
    written = save(draw_speedups(read_table(results, SPEEDUPS)), plots, "speedups")
    written += save(draw_runtime(read_table(results, SNAPSHOTS)), plots, "runtime")
    traces = [open_trace(path) for path in sorted((results / "traces").glob("*.trace"))]
    if traces:
        figure = draw_memory(traces, [trace_title(trace) for trace in traces])
        written += save(figure, plots, "traces")
    return written


def trace_title(trace: Trace) -> str:
    """Return how a picture calls ``trace``."""
    condition = CONDITIONS.get(trace.source.condition or "")
    name = condition.title if condition else trace.source.name
    return f"{name} ({trace.source.origin})"
