"""How often an interval holds the truth, where that is known: the original against itself."""

import dataclasses

from harness.measurement.choice import choose
from harness.measurement.experiment import measure
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, condition_traces
from harness.native.toolchain import find_toolchains
from harness.statistics.interval import Interval
from workloads.conditions import find_condition
from workloads.synthesis import Report

BUDGET = 20.0
"""Seconds that a short run takes at most."""
PRECISION = 0.005


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What runs of the original against itself gave, where the truth is 1."""

    runs: int
    covered: float
    """Share of the runs whose 95 % interval contains 1."""
    close: float
    """Share of the runs whose speedup is within 0.5 % of 1."""
    lowest: float
    highest: float
    intervals: tuple[Interval, ...] = ()
    """Of each run."""


def measure_coverage(runs: int, report: Report) -> Coverage:
    """Measure the original against itself in ``runs`` short runs, each with a trace of its own."""
    found: list[Interval] = []
    for number in range(runs):
        (speedup,) = measure(short_request((), number), BUDGET).speedups.values()
        found.append(speedup)
        report("A/A runs", number + 1, runs)
    values = [interval.value for interval in found]
    return Coverage(
        runs,
        sum(interval.low <= 1 <= interval.high for interval in found) / runs,
        sum(abs(value - 1) <= PRECISION for value in values) / runs,
        min(values),
        max(values),
        tuple(found),
    )


def short_request(variants: tuple[str, ...], seed: int) -> Request:
    """Return the request of a quick run on Cond1 with one toolchain."""
    traces = condition_traces([find_condition("cond1")], ("synthetic",), seed=seed)
    return Request(line_up(choose(variants), find_toolchains()), traces, PRECISION, seed)
