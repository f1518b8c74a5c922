"""Working on traces: what ``dirtyscan trace`` makes, writes and shows."""

import argparse
import dataclasses
import json
import shlex
from pathlib import Path

from rich import box
from rich.table import Table

from harness.base.errors import BadInput
from harness.base.units import format_size, parse_size
from harness.commands.idle import call_out_idle
from harness.commands.options import (
    find_conditions,
    workload_memory,
    workload_settings,
)
from harness.presentation.console import console
from harness.presentation.progress import ProgressDisplay
from workloads.conditions import find_condition
from workloads.guest import GuestMemory
from workloads.parameters import describe
from workloads.precopy import PreCopyParameters
from workloads.profile import profile_trace
from workloads.shipped import trace_path
from workloads.synthesis import make_recipe, synthesize
from workloads.trace import Trace, open_trace


def run_synthesize(options: argparse.Namespace) -> int:
    """Make traces."""
    out = console()
    memory, settings = workload_memory(options), workload_settings(options)
    recipes = [
        make_recipe(condition, memory, settings, options.seed)
        for condition in find_conditions(options.conditions)
    ]
    for recipe in recipes:
        path = Path(options.output) / f"{recipe.condition.name}.trace"
        with ProgressDisplay(console(stderr=True)) as steps:
            trace = synthesize(recipe, path, steps)
        out.print(f"{trace.path}: {_summary(trace)}", soft_wrap=True)
    return 0


def run_capture(options: argparse.Namespace) -> int:
    """Capture a trace."""
    from workloads.capture.capture import CaptureRequest, capture
    from workloads.capture.equipment import find_equipment
    from workloads.capture.migration import Limits
    from workloads.capture.workload import choose_workload

    memory = GuestMemory(parse_size(options.guest_memory))
    workload = choose_workload(options.workload, memory)
    request = CaptureRequest(
        workload,
        memory,
        find_equipment(Path(options.kernel) if options.kernel else None, options.qemu),
        options.accelerator,
        Limits(parse_size(options.bandwidth), options.max_downtime, options.seconds),
    )
    with ProgressDisplay(console(stderr=True)) as steps:
        trace = capture(request, Path(options.output) / f"{workload.name}.trace", steps)
    tell(trace)
    return 0


def run_record(options: argparse.Namespace) -> int:
    """Record a trace."""
    if bool(options.workload) == bool(options.command):
        raise BadInput("say what is to be recorded: a WORKLOAD, or a --command, and not both.")
    if options.command:
        return _run_command(options)
    from workloads.capture.equipment import find_equipment
    from workloads.capture.workload import choose_workload
    from workloads.record.recording import RecordRequest, record_guest

    memory = GuestMemory(parse_size(options.guest_memory))
    workload = choose_workload(options.workload, memory)
    precopy = _precopy(options.bandwidth, options.max_downtime, options.seconds)
    request = RecordRequest(
        workload,
        memory,
        find_equipment(Path(options.kernel) if options.kernel else None, options.qemu),
        options.accelerator,
        precopy,
    )
    with ProgressDisplay(console(stderr=True)) as steps:
        trace = record_guest(request, Path(options.output) / f"{workload.name}.trace", steps)
    tell(trace)
    return 0


def _run_command(options: argparse.Namespace) -> int:
    from workloads.record.command import CommandRequest, record_command

    try:
        words = tuple(shlex.split(options.command))
    except ValueError as error:
        raise BadInput(f"--command cannot be read ({error}); mend its quotes.") from None
    if not words:
        raise BadInput("--command is empty; give a program and its arguments.")
    name = options.name or Path(words[0]).name
    memory = GuestMemory(parse_size(options.guest_memory))
    precopy = _precopy(options.bandwidth, options.max_downtime, options.seconds)
    request = CommandRequest(words, name, memory, options.after, precopy)
    with ProgressDisplay(console(stderr=True)) as steps:
        trace = record_command(request, Path(options.output) / f"{name}.trace", steps)
    tell(trace)
    return 0


def _precopy(bandwidth: str, max_downtime: int, seconds: int) -> PreCopyParameters:
    """Return the loop of a recording."""
    defaults = PreCopyParameters()
    return dataclasses.replace(
        defaults,
        bandwidth=parse_size(bandwidth),
        max_downtime=max_downtime,
        max_ticks=max(1, seconds * 1000 // defaults.tick),
    )


def run_info(options: argparse.Namespace) -> int:
    """Describe a trace."""
    out = console()
    trace = open_trace(trace_path(options.trace))
    trace.verify()
    if options.json:
        out.print(json.dumps(trace.header(), indent=1), soft_wrap=True, markup=False)
        return 0
    source = trace.source
    facts = {
        "name": source.name,
        "origin": source.origin,
        "condition": source.condition or "none",
        "guest memory": f"{format_size(source.memory.size)}, {source.memory.pages} pages of "
        f"{format_size(source.memory.page_size)}",
        "snapshots": f"{len(trace)}, at {trace.ticks_ms[0]} to {trace.ticks_ms[-1]} ms",
        "remaining": f"{min(trace.remaining)} to {max(trace.remaining)} dirty pages",
        "content": f"sha256 {trace.content_hash}, checked",
    }
    facts |= {name: f"{p['value']} {p['unit']}".strip() for name, p in source.parameters.items()}
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(f"{name:{width}}  {value}", soft_wrap=True, markup=False)
    return 0


def run_plot(options: argparse.Namespace) -> int:
    """Draw traces."""
    from harness.presentation.style import save
    from harness.report.traces import draw_memory

    out = console()
    traces = [open_trace(trace_path(path)) for path in options.traces]
    name = f"trace-{traces[0].path.stem}" if len(traces) == 1 else "traces"
    for path in save(draw_memory(traces), Path(options.plots), name):
        out.print(str(path), soft_wrap=True)
    return 0


def run_compare(options: argparse.Namespace) -> int:
    """Compare traces."""
    from harness.measurement.choice import choose
    from harness.measurement.experiment import measure
    from harness.measurement.lineup import line_up
    from harness.measurement.request import Request
    from harness.native.toolchain import find_toolchains
    from harness.presentation.style import save
    from harness.report.origins import draw_comparison

    out = console()
    profiles = [profile_trace(open_trace(trace_path(path))) for path in options.traces]
    lineup = line_up(choose(["multi_page"]), find_toolchains())
    paths = tuple(profile.trace.path for profile in profiles)
    run = measure(Request(lineup, paths, precision=0.005, seed=0), budget=20.0)
    speedups = [run.speedups[pair] for pair in run.judged]
    table = Table(box=None, pad_edge=False)
    for name in ("trace", "snapshots", "dirty pages", "runs", "mean run", "speedup"):
        table.add_column(name, justify="left" if name == "trace" else "right")
    for profile, speedup in zip(profiles, speedups, strict=True):
        source = profile.trace.source
        table.add_row(
            f"{source.name} {source.origin}",
            str(len(profile.trace)),
            f"{profile.dirty.mean():.0f}",
            f"{profile.runs.mean():.0f}",
            f"{profile.mean_run:.1f}",
            f"{speedup.value:.2f} ±{speedup.half_width:.1%}",
        )
    out.print(table)
    out.print("means over the snapshots; speedup of multi_page over the whole trace")
    for path in save(draw_comparison({"": profiles}), Path(options.plots), "comparison"):
        out.print(str(path), soft_wrap=True)
    return 0


def run_parameters(options: argparse.Namespace) -> int:
    """List parameters."""
    condition = find_condition(options.condition)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("parameter", "default", "unit", "what, and why"):
        table.add_column(name)
    for kind in (condition.parameters, PreCopyParameters):
        for parameter in describe(kind):
            table.add_row(
                parameter.name, f"{parameter.default:g}", parameter.unit, parameter.reason
            )
    console().print(table)
    return 0


_TOLD = {
    "slots": "memory slots: ",
    "each_file": "each file holds ",
    "ranges": "memory of the process: ",
    "files": "in this order: ",
    "blocks": "guest memory: ",
    "blocks_left_out": "left out, which is no guest memory or was not sent: ",
    "sections_passed_over": "passed over: sections of ",
}
"""What of a trace's parameters is said when it is made, as it decides what the trace is of."""


def tell(trace: Trace) -> None:
    """Say what was made, of what, and what is not in it."""
    out = console()
    out.print(f"{trace.path}: {_summary(trace)}", soft_wrap=True)
    for name, before in _TOLD.items():
        if name in trace.source.parameters:
            out.print(f"  {before}{trace.source.parameters[name]['value']}", soft_wrap=True)
    call_out_idle(trace.path, console(stderr=True))


def _summary(trace: Trace) -> str:
    return f"{len(trace)} snapshots, {min(trace.remaining)} to {max(trace.remaining)} dirty pages"
