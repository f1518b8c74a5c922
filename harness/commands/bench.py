"""``dirtyscan bench``: time variants on traces."""

import argparse
from typing import TYPE_CHECKING

from harness.base.errors import BadInput
from harness.commands.cluster import add_cluster, folder_of_one, is_for_hosts, run_on_hosts
from harness.commands.options import (
    add_budget,
    add_conditions,
    add_folder,
    add_names,
    add_precision,
    add_resume,
    add_toolchains,
    add_workload_options,
    find_conditions,
    positive,
    results_folder,
    workload_memory,
    workload_settings,
)
from harness.commands.random_maps import add_random_maps, random_maps
from harness.commands.report import PAGE
from harness.measurement.budget import Budget
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS, find_operation
from workloads.shipped import trace_path

if TYPE_CHECKING:
    from harness.measurement.request import Request

FULL_BUDGET, QUICK_BUDGET = 150.0, 15.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Time the original ram_save_remaining() and variants of it on traces, in "
        "turn, and write speedups with their 95 % intervals. The exit status is 1 if a variant "
        "counts wrong, crashes, hangs, leaves its map or changes it; the others are measured."
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="a variant of your own, as with --variant"
    )
    parser.add_argument("--quick", action="store_true", help="fewer snapshots, done within 20 s")
    add_conditions(parser)
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        choices=("synthetic", "recorded", "captured"),
        help="which traces of the conditions; default: all three. The recorded and "
        "captured ones come with dirtyscan, are of a guest of 512 MiB, and are left out for others",
    )
    parser.add_argument(
        "--trace", action="append", default=[], metavar="FILE", help="time this trace"
    )
    add_random_maps(parser, "instead of the conditions unless these are named")
    parser.add_argument(
        "--operation",
        metavar="NAME",
        help="what is done to the map: "
        + ", ".join(OPERATIONS)
        + f"; default: that of your own variant, or {DEFAULT_OPERATION}",
    )
    parser.add_argument(
        "--original",
        default="",
        metavar="NAME",
        help="the variant that the others are compared with; default: the operation's oldest",
    )
    add_names(
        parser,
        "--variant",
        "a name (see 'dirtyscan variants'), or the path of a C file or shared object of your "
        "own; all for all that can run here, recommended for the best of each representation, "
        "peers for Python packages; default: multi_page, and all for operations other than count",
    )
    add_toolchains(parser)
    before = parser.add_mutually_exclusive_group()
    before.add_argument(
        "--no-other-work",
        dest="other_work",
        action="store_false",
        help="call again within microseconds, while branch predictors know the last calls; "
        "default: before each snapshot comes other work that makes them forget, as in a tick",
    )
    before.add_argument(
        "--between",
        type=positive(_milliseconds, "a number of milliseconds above 0, at most 1000", 0.0),
        default=0.0,
        metavar="MS",
        help="let an interpreter do that work, for so many milliseconds, on fewer snapshots",
    )
    add_precision(parser, "0.5%", ", as a share of the speedup")
    add_budget(
        parser, f"time to measure at most; default: {FULL_BUDGET:g}, with --quick {QUICK_BUDGET:g}"
    )
    more = "; {cpu} in it stands for the name of this machine's CPU"
    add_folder(parser, "--output", "results/latest", more)
    parser.add_argument(
        "--plots",
        metavar="DIR",
        help="also draw the plots there, and write the page into the folder of the results",
    )
    add_resume(parser, "a run that was cut short")
    add_cluster(parser)
    add_workload_options(parser)
    parser.epilog = (
        "What stands behind -- goes to the compiler of your own file: options, and files to "
        "compile and link to it. Variants in dirtyscan.toml are taken by their names."
    )
    parser.set_defaults(run=run, takes_arguments=True)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    if is_for_hosts(options):
        return run_on_hosts(options, "bench", "speedups.csv")
    from harness.commands.idle import call_out_idle
    from harness.measurement.run_folder import RunFolder
    from harness.presentation.console import console
    from harness.report.run_table import results_table
    from harness.results.result import SPEEDUPS, read_table
    from harness.session.measured import measure, print_end

    out, log = console(), console(stderr=True)
    request = _request(options)

    with RunFolder(folder_of_one(options.output)) as folder:
        measured = measure(request, folder, _budget(options), options.resume, log)
    out.print(results_table(read_table(folder.path, SPEEDUPS), measured.environment))
    for path in options.trace:
        call_out_idle(trace_path(path), log)
    out.print(f"results: {folder.path}", soft_wrap=True)
    if options.plots:
        from harness.report.contents import write_plots
        from harness.report.page import write_page

        plots = results_folder(options.plots)
        write_plots(folder.path, plots)
        out.print(f"plots: {plots}", soft_wrap=True)
        page = write_page([folder.path], folder.path / PAGE)
        out.print(f"page: {page}", soft_wrap=True)
    return print_end(measured, out, log)


def _request(options: argparse.Namespace) -> "Request":
    from harness.measurement.choice import choose
    from harness.measurement.lineup import check_used, line_up
    from harness.measurement.request import DEFAULT_ORIGINS, Given, Request, condition_traces
    from harness.native.built_variant import declared_operation
    from harness.native.finding import find_own, is_own
    from harness.native.manifest import find_manifest
    from harness.native.toolchain import find_toolchains

    given = tuple(dict.fromkeys((*options.files, *options.variant)))
    own = [name for name in given if is_own(name)]
    if options.arguments and not own:
        raise BadInput(
            f"what stands behind -- ({options.arguments[0]}) is for the compiler of a file of your "
            "own; give one, or leave it out."
        )
    operation = options.operation or DEFAULT_OPERATION
    if own and not options.operation:
        operation = declared_operation(find_own(own[0], options.arguments))
    variants = given or find_operation(operation).shown
    others: tuple[Given, ...] = (*random_maps(options), *map(trace_path, options.trace))
    only_others = others and not options.condition
    if own and not (others or options.condition):
        manifest = find_manifest()
        others = manifest.trace_files() if manifest else ()
    of_conditions = condition_traces(
        () if only_others else find_conditions(options.condition),
        options.origin or DEFAULT_ORIGINS,
        workload_memory(options),
        workload_settings(options),
        options.seed,
    )
    toolchains = tuple(dict.fromkeys(options.toolchain))
    choice = choose(variants, operation, options.original, options.arguments)
    lineup = line_up(choice, find_toolchains(toolchains))
    check_used(lineup, toolchains)
    return Request(
        lineup,
        (*of_conditions, *others),
        options.precision,
        options.seed,
        quick=options.quick,
        between=options.between,
        other_work=options.other_work,
    )


def _milliseconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise ValueError
    return value


def _budget(options: argparse.Namespace) -> Budget:
    return Budget.of(options.budget, QUICK_BUDGET if options.quick else FULL_BUDGET)
