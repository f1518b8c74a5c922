"""``dirtyscan bench``: time variants on traces."""

import argparse
import dataclasses
from pathlib import Path

from rich.console import Console

from harness.commands.options import (
    add_workload_options,
    condition_help,
    find_conditions,
    positive,
    workload_memory,
    workload_settings,
)
from harness.cpu import cpu_slug
from harness.environment import describe_environment
from harness.experiment import Experiment, Outcome
from harness.machine import Watch
from harness.plan import Plan
from harness.preparation import Request, chosen_toolchains, prepare
from harness.progress import MeasurementProgress, StepProgress
from harness.report import write_report
from harness.results import SPEEDUPS, describe_layout, read_table, write_results
from harness.run_folder import RunFolder
from harness.table import console, results_table
from workloads.errors import BadInput

DEFAULT_VARIANTS = ("multi_page",)
FULL_BUDGET, QUICK_BUDGET = 150.0, 15.0
SOMETHING_FAILED = 1


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "bench",
        help="time variants on traces",
        description="Time the original ram_save_remaining() and variants of it on traces, in "
        "turn, and write speedups with their 95 %% intervals. The exit status is 1 if a variant "
        "counts wrong, crashes, hangs, leaves its map or changes it; the others are measured.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer snapshots, done within 20 s")
    parser.add_argument(
        "--condition", action="append", default=[], metavar="NAME", help=condition_help()
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        choices=("synthetic", "captured"),
        help="which traces of the conditions; default: both. The captured ones are those that come "
        "with dirtyscan, of a guest of 512 MiB, and are left out for other guests",
    )
    parser.add_argument(
        "--trace", action="append", default=[], metavar="FILE", help="time this trace"
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="a name (see 'dirtyscan variants'), or the path of a C file or shared object of your "
        "own; all for all that can run here, recommended for the best of each representation, "
        "peers for Python packages; default: multi_page",
    )
    parser.add_argument("--toolchain", action="append", default=[], metavar="NAME")
    parser.add_argument(
        "--precision",
        type=positive(_percentage, "a share above 0 such as 0.5%", 0.0),
        default=0.005,
        metavar="SHARE",
        help="half-width of an interval that is good enough, as a share of the speedup; "
        "default: 0.5%%",
    )
    parser.add_argument(
        "--budget",
        type=positive(float, "a number of seconds above 0", 0.0),
        metavar="SECONDS",
        help=f"time to measure at most; default: {FULL_BUDGET:g}, with --quick {QUICK_BUDGET:g}",
    )
    parser.add_argument(
        "--output",
        default="results/latest",
        metavar="DIR",
        help="default: %(default)s; {cpu} in it stands for the name of this machine's CPU",
    )
    parser.add_argument("--plots", metavar="DIR", help="also write the plots of the report there")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was cut short")
    add_workload_options(parser)
    parser.set_defaults(run=run)


def _percentage(text: str) -> float:
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def run(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    out, log = console(), console(stderr=True)
    request = _request(options)
    with RunFolder(_folder(options.output)) as folder:
        plan = _plan(options, request, folder, log)
        for sentence in plan.left_out:
            log.print(f"left out: {sentence}", soft_wrap=True)
        watch = Watch()
        outcome = _measure(plan, folder, _budget(options), log)
        environment = describe_environment(
            chosen_toolchains(request), describe_layout(plan, outcome), watch.stop()
        )
        write_results(folder.path, plan, folder.unfinished, outcome, environment)
        folder.finish()
    out.print(results_table(read_table(folder.path, SPEEDUPS)))
    for evidence in environment["machine"]["disturbed"]:
        out.print(f"disturbed: {evidence} while this was measured", soft_wrap=True)
    out.print(f"results: {folder.path}", soft_wrap=True)
    if options.plots:
        plots = _folder(options.plots)
        write_report(folder.path, plots)
        out.print(f"plots: {plots}", soft_wrap=True)
    for failure in outcome.failures:
        log.print(f"failed: {failure.sentence()}", soft_wrap=True, markup=False)
    return SOMETHING_FAILED if outcome.failures else 0


def _folder(name: str) -> Path:
    return Path(name.replace("{cpu}", cpu_slug()))


def _request(options: argparse.Namespace) -> Request:
    only_traces = options.trace and not options.condition
    return Request(
        conditions=() if only_traces else find_conditions(options.condition),
        origins=tuple(options.origin or ("synthetic", "captured")),
        traces=tuple(Path(path) for path in options.trace),
        variants=tuple(dict.fromkeys(options.variant or DEFAULT_VARIANTS)),
        toolchains=tuple(dict.fromkeys(options.toolchain)),
        memory=workload_memory(options),
        settings=workload_settings(options),
        seed=options.seed,
        quick=options.quick,
        precision=options.precision,
    )


def _budget(options: argparse.Namespace) -> float:
    return float(options.budget or (QUICK_BUDGET if options.quick else FULL_BUDGET))


def _plan(options: argparse.Namespace, request: Request, folder: RunFolder, log: Console) -> Plan:
    """Return the plan of the run, which is recorded in ``folder``."""
    if options.resume:
        before = folder.unfinished_plan()
        with folder.scratch() as scratch, StepProgress(log) as steps:
            plan = prepare(request, scratch, steps)
        for field in dataclasses.fields(Plan):
            if getattr(before, field.name) != getattr(plan, field.name):
                raise BadInput(
                    f"the unfinished run in {folder.path} differs from this one in its "
                    f"{field.name}; resume with the same options, dirtyscan and machine, or start "
                    "anew without --resume."
                )
        return plan
    aside = folder.set_aside()
    if aside:
        log.print(f"an unfinished run was kept as {aside}", soft_wrap=True)
    with StepProgress(log) as steps:
        plan = prepare(request, folder.unfinished, steps)
    folder.begin(plan)
    return plan


def _measure(plan: Plan, folder: RunFolder, budget: float, log: Console) -> Outcome:
    try:
        with MeasurementProgress(log) as progress:
            return Experiment(plan, folder, budget, progress).run()
    except KeyboardInterrupt:
        kept = len(folder.finished_processes())
        if kept:
            log.print(
                f"interrupted: the samples of {kept} processes are kept in {folder.path}; go on "
                "with --resume and the same options.",
                soft_wrap=True,
            )
        raise
