"""The report of a run: its pictures. It reads files and measures nothing."""

from collections.abc import Sequence
from pathlib import Path

from harness.presentation.figures.comparison import draw_comparison
from harness.presentation.figures.ladder import draw_ladder
from harness.presentation.figures.memory import draw_memory
from harness.presentation.figures.runtime import draw_runtime
from harness.presentation.figures.speedups import draw_speedups
from harness.presentation.figures.style import save
from harness.results.result import SNAPSHOTS, SPEEDUPS, read_table
from workloads.conditions import CONDITIONS
from workloads.profile import profile_trace
from workloads.trace import ORIGINS, Trace, open_trace

MOST_SIDE_BY_SIDE = 4
"""Variants that are drawn beside each other; more are drawn a line each."""


def write_report(results: Path, plots: Path) -> list[Path]:
    """Draw the results in ``results`` into ``plots`` and return the files.

    Raises:
        BadInput: there are no results, or a file cannot be written.
    """
    rows = read_table(results, SPEEDUPS)
    many = rows.loc[~rows["noise_floor"], "variant"].nunique() > MOST_SIDE_BY_SIDE
    written = save((draw_ladder if many else draw_speedups)(rows), plots, "speedups")
    written += save(draw_runtime(read_table(results, SNAPSHOTS)), plots, "runtime")
    traces = [open_trace(path) for path in (results / "traces").glob("*.trace")]
    traces.sort(key=lambda t: (t.source.name, ORIGINS.index(t.source.origin)))
    if traces:
        figure = draw_memory(traces, [trace_title(trace) for trace in traces])
        written += save(figure, plots, "traces")
    groups = comparable(traces)
    if groups:
        figure = draw_comparison([(name, [profile_trace(t) for t in g]) for name, g in groups])
        written += save(figure, plots, "origins")
    return written


def comparable(traces: Sequence[Trace]) -> list[tuple[str, list[Trace]]]:
    """Return the traces of each condition that has both synthetic and captured ones."""
    groups: dict[str, list[Trace]] = {}
    for trace in traces:
        groups.setdefault(trace.source.condition or trace.source.name, []).append(trace)
    return [
        (name.capitalize(), group)
        for name, group in groups.items()
        if len({trace.source.origin for trace in group}) > 1
    ]


def trace_title(trace: Trace) -> str:
    """Return how a picture calls ``trace``."""
    condition = CONDITIONS.get(trace.source.condition or "")
    name = condition.title if condition else trace.source.name
    return f"{name} ({trace.source.origin})"
