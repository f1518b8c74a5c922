"""Running a comparison: what ``dirtyscan compare`` measures and shows."""

import argparse

from harness.base.errors import BadInput
from harness.commands.cluster import folder_of_one
from harness.commands.compare import BUDGET
from harness.commands.idle import call_out_idle
from harness.commands.options import (
    find_conditions,
    workload_memory,
    workload_settings,
)
from harness.commands.random_maps import random_maps
from harness.measurement.budget import Budget
from harness.measurement.choice import choose
from harness.measurement.lineup import check_used, line_up
from harness.measurement.request import Given, Request, condition_traces
from harness.measurement.run_folder import RunFolder
from harness.native.built_variant import operations_of
from harness.native.operation import find_operation
from harness.native.toolchain import find_toolchains
from harness.presentation.console import console
from harness.report.comparison import comparison_table, comparison_text
from harness.results.result import SPEEDUPS, read_table
from harness.session.measured import Measured, measure, print_end
from workloads.shipped import trace_path


def run(options: argparse.Namespace) -> int:
    """Measure the two variants, and print the table or what else was asked for."""
    log = console(stderr=True)
    out = console() if options.format == "table" else log
    request = _request(options)
    with RunFolder(folder_of_one(options.output)) as folder:
        measured = measure(request, folder, Budget.of(options.budget, BUDGET), options.resume, log)
    if _has_rows(request, measured):
        rows = read_table(folder.path, SPEEDUPS)
        if options.format == "table":
            out.print(comparison_table(rows))
        else:
            print(comparison_text(rows, options.format), end="")
    for path in options.trace:
        call_out_idle(trace_path(path), log)
    out.print(f"results: {folder.path}", soft_wrap=True)
    return print_end(measured, out, log)


def _request(options: argparse.Namespace) -> Request:
    operation = common_operation(options.original, options.variant, options.operation)
    choice = choose((options.variant,), operation, options.original)
    if not choice.variants:
        raise BadInput(f"A and B are both {choice.original.name}; name two variants.")
    toolchains = tuple(dict.fromkeys(options.toolchain))
    # What chance alone does is in the interval; the original's time is better spent on it.
    lineup = line_up(choice, find_toolchains(toolchains), noise_floor=False)
    check_used(lineup, toolchains)
    for lane in lineup.lanes:
        if lane.paid_in:
            raise BadInput(
                f"the cost of variant {lane.variant} is paid in {lane.paid_in}, so its own time "
                "says nothing; name another."
            )
    allocates = find_operation(operation).allocates
    return Request(lineup, _traces(options), options.precision, options.seed, one_cpu=allocates)


def common_operation(first: str, second: str, asked: str | None) -> str:
    """Return the operation that the variants ``first`` and ``second`` are both of.

    Args:
        asked: the one that is meant, if somebody says so.

    Raises:
        BadInput: there is none, or more than one and nobody says which.
    """
    meant = [find_operation(asked).name] if asked else None
    each = [operations_of(name) for name in (first, second)]
    for name, known in zip((first, second), each, strict=True):
        if meant and meant[0] not in known:
            raise BadInput(
                f"{name} is a variant of {' and '.join(known)} and not of {asked}; name another, "
                "or leave out --operation."
            )
    both = meant or [name for name in each[0] if name in each[1]]
    if not both:
        of_first, of_second = (" and ".join(known) for known in each)
        raise BadInput(
            f"{first} is a variant of {of_first} and {second} one of {of_second}; compare two of "
            "the same operation."
        )
    if len(both) > 1:
        raise BadInput(
            f"{first} and {second} are variants of {' and of '.join(both)}; say which is meant "
            f"with --operation {both[0]}."
        )
    return both[0]


def _traces(options: argparse.Namespace) -> tuple[Given, ...]:
    """Return what both are timed on: of a condition the recorded trace, if it fits."""
    others: tuple[Given, ...] = (*random_maps(options), *map(trace_path, options.trace))
    memory, settings = workload_memory(options), workload_settings(options)
    # Settings are of synthetic traces: a recorded one would be measured as if nobody had set them.
    origins = ("synthetic",) if options.settings or options.config else ("recorded", "synthetic")
    traces: list[Given] = []
    for condition in find_conditions(options.condition) if options.condition or not others else ():
        found = condition_traces([condition], origins, memory, settings, options.seed)
        traces += found[:1]
    return (*traces, *others)


def _has_rows(request: Request, measured: Measured) -> bool:
    """Say whether any variant has gone through, so that there is something to show."""
    lanes = request.lineup.lanes
    variants = {number for number, lane in enumerate(lanes) if lane.original != number}
    return bool(variants - {failure.lane for failure in measured.failures})
