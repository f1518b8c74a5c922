"""From what a user asks for to a plan: traces are made, variants compiled."""

import dataclasses
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness import __version__
from harness.machine.cpu import cpu_model
from harness.measurement.lineup import LineUp, keep_library, line_up
from harness.measurement.plan import (
    FULL_PASS_PAGES,
    MIN_PROCESSES,
    QUICK_PASS_PAGES,
    ROUNDS,
    WARMUPS,
    Plan,
    plan_traces,
)
from harness.native.build import build_stopwatch, build_trial
from harness.native.operation import DEFAULT_OPERATION, find_operation
from harness.native.toolchain import Toolchain, default_toolchain, find_toolchain
from workloads.captured import captured_trace
from workloads.conditions import Condition
from workloads.files import copy_file
from workloads.guest import GuestMemory
from workloads.parameters import Value
from workloads.synthesis import Report, make_recipe, synthesize
from workloads.trace import Trace, open_trace

TRACES = "traces"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a user asks to be measured."""

    conditions: tuple[Condition, ...]
    origins: tuple[str, ...]
    """Which traces of the conditions: ``synthetic``, and ``captured`` where they fit the guest."""
    traces: tuple[Path, ...]
    variants: tuple[str, ...]
    toolchains: tuple[str, ...]
    """Names; none stands for the default toolchain."""
    memory: GuestMemory
    settings: Mapping[str, Mapping[str, Value]]
    seed: int
    quick: bool
    precision: float
    rounds: int = ROUNDS
    """In each process, those that count."""
    warmups: int = WARMUPS
    operation: str = DEFAULT_OPERATION
    original: str = ""
    """The variant that the others are compared with; the operation's own if empty."""
    processes: int = MIN_PROCESSES
    """At least so many measure each trace."""
    noise_floor: bool = True
    """Whether the original is measured against itself too."""
    one_cpu: bool = False
    """Whether all processes stay on the same CPU.

    For variants that allocate: on one CPU of a virtual machine fresh memory was seen to cost half
    as much again as on the other, and then speedups depend on where a process happens to run.
    """


MakeLineUp = Callable[[Sequence[Toolchain], Path], LineUp]
"""Compiles lanes with toolchains and keeps their libraries under a folder."""


def prepare(
    request: Request, base: Path, report: Report, make_lineup: MakeLineUp | None = None
) -> Plan:
    """Make the traces and libraries of ``request`` under ``base`` and plan the run.

    Args:
        report: follows the making of traces; see :func:`workloads.synthesis.synthesize`.
        make_lineup: makes the lanes, if they are not just the variants of ``request``.

    Raises:
        BadInput: something that was asked for does not exist or cannot be made.
    """
    toolchains = [find_toolchain(name) for name in request.toolchains] or [default_toolchain()]
    recipes = {
        condition.name: make_recipe(condition, request.memory, request.settings, request.seed)
        for condition in request.conditions
    }
    captured = [open_trace(path) for path in _captured(request)]
    given = [open_trace(path) for path in request.traces]
    for trace in (*captured, *given):
        trace.verify()
    operation = find_operation(request.operation)
    if make_lineup:
        lineup = make_lineup(toolchains, base)
    else:
        original = request.original or operation.original
        names, floor = request.variants, request.noise_floor
        lineup = line_up(names, operation.name, original, toolchains, base, floor)
    stopwatch = keep_library(build_stopwatch(toolchains[0]), base, "stopwatch")
    trial = keep_library(build_trial(toolchains[0]), base, "trial")
    made = [
        synthesize(recipe, base / TRACES / f"{name}-synthetic.trace", report)
        for name, recipe in recipes.items()
        if "synthetic" in request.origins
    ]
    captured = [_keep_trace(trace, base / TRACES) for trace in captured]
    given = [_keep_trace(trace, base / TRACES) for trace in given]
    traces = [*_by_condition([*made, *captured]), *given]
    pass_pages = QUICK_PASS_PAGES if request.quick else FULL_PASS_PAGES
    return Plan(
        version=__version__,
        host=f"{platform.node()}, {cpu_model()}, Python {platform.python_version()}",
        operation=operation.name,
        stopwatch=stopwatch,
        trial=trial,
        lanes=lineup.lanes,
        left_out=lineup.left_out,
        traces=plan_traces(traces, base, pass_pages),
        warmups=request.warmups,
        rounds=request.rounds,
        precision=request.precision,
        seed=request.seed,
        processes=request.processes,
        one_cpu=request.one_cpu,
    )


def _by_condition(traces: Sequence[Trace]) -> list[Trace]:
    """Return ``traces`` with those of one condition next to each other."""
    names = [trace.source.name for trace in traces]
    return sorted(traces, key=lambda trace: names.index(trace.source.name))


def _captured(request: Request) -> list[Path]:
    """Return the captured traces of the conditions of ``request``, if its guest is theirs."""
    if "captured" not in request.origins or request.memory != GuestMemory():
        return []
    found = [captured_trace(condition.name) for condition in request.conditions]
    return [path for path in found if path]


def _keep_trace(trace: Trace, folder: Path) -> Trace:
    name = f"{trace.path.stem}-{trace.source.origin}"
    number = sum(path.name.startswith(name) for path in folder.glob("*"))
    path = folder / f"{name}{f'-{number + 1}' if number else ''}.trace"
    copy_file(trace.path, path)
    return dataclasses.replace(trace, path=path)
