"""``dirtyscan trace``: make traces, and look at them."""

import argparse
import json
from pathlib import Path

from rich import box
from rich.table import Table

from harness.commands.options import (
    add_workload_options,
    condition_help,
    find_conditions,
    workload_memory,
    workload_settings,
)
from harness.progress import StepProgress
from harness.table import console
from workloads.conditions import find_condition
from workloads.parameters import describe
from workloads.precopy import PreCopyParameters
from workloads.synthesis import make_recipe, synthesize
from workloads.trace import Trace, open_trace
from workloads.units import format_size


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("trace", help="make traces, and look at them")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    make = actions.add_parser("synthesize", help="make the synthetic traces of conditions")
    make.add_argument("conditions", nargs="*", metavar="CONDITION", help=condition_help())
    make.add_argument("--output", default="traces", metavar="DIR", help="default: %(default)s")
    add_workload_options(make)
    make.set_defaults(run=run_synthesize)

    info = actions.add_parser("info", help="say what a trace is, and check it")
    info.add_argument("trace", metavar="FILE")
    info.add_argument("--json", action="store_true", help="the whole header, as JSON")
    info.set_defaults(run=run_info)

    plot = actions.add_parser("plot", help="draw guest memory over time")
    plot.add_argument("traces", nargs="+", metavar="FILE")
    plot.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    plot.set_defaults(run=run_plot)

    parameters = actions.add_parser("parameters", help="list what --set can set, and why")
    parameters.add_argument("condition", nargs="?", default="cond1", help=condition_help())
    parameters.set_defaults(run=run_parameters)


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
        with StepProgress(console(stderr=True)) as steps:
            trace = synthesize(recipe, path, steps)
        out.print(f"{trace.path}: {_summary(trace)}", soft_wrap=True)
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Describe a trace."""
    out = console()
    trace = open_trace(Path(options.trace))
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
    from harness.figures.memory import draw_memory
    from harness.figures.style import save
    from harness.report import trace_title

    out = console()
    traces = [open_trace(Path(path)) for path in options.traces]
    name = f"trace-{traces[0].path.stem}" if len(traces) == 1 else "traces"
    figure = draw_memory(traces, [trace_title(trace) for trace in traces])
    for path in save(figure, Path(options.plots), name):
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


def _summary(trace: Trace) -> str:
    return f"{len(trace)} snapshots, {min(trace.remaining)} to {max(trace.remaining)} dirty pages"
