"""A measurement as commands make it: planned, shown, resumed, and written as results."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.machine.environment import describe_environment, read_environment
from harness.machine.state import Watch
from harness.measurement.experiment import Experiment, Outcome
from harness.measurement.plan import Plan
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import failures_path
from harness.native.toolchain import recorded_toolchain
from harness.presentation.progress import MeasurementProgress, StepProgress
from harness.statistics.results import describe_layout, write_results
from harness.trial.failure import Failure, read_failures
from workloads.errors import BadInput
from workloads.synthesis import Report

MakePlan = Callable[[Path, Report], Plan]
"""Makes traces and libraries under a folder, tells how far it is, and returns the plan."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """A finished measurement, whose files are written."""

    failures: tuple[Failure, ...]
    """Variants that went astray."""
    environment: dict[str, Any]
    outcome: Outcome | None = None
    """None if it had been finished but for moving its files."""


def measure(
    folder: RunFolder, make_plan: MakePlan, budget: float, resume: bool, log: Console
) -> Measured:
    """Measure what ``make_plan`` plans into ``folder``, for about ``budget`` seconds.

    Raises:
        BadInput: the plan cannot be made, or is not that of the run to resume.
    """
    plan = _plan(make_plan, folder, resume, log)
    if resume and folder.is_written():
        folder.finish()
        failures = read_failures(failures_path(folder.path / "samples"))
        return Measured(failures, read_environment(folder.path))
    for sentence in plan.left_out:
        log.print(f"left out: {sentence}", soft_wrap=True)
    watch = Watch()
    outcome = _run(plan, folder, budget, log)
    names = dict.fromkeys(lane.toolchain for lane in plan.lanes if not lane.peer)
    toolchains = [recorded_toolchain(name) for name in names]
    layout = describe_layout(plan, outcome)
    environment = describe_environment(toolchains, layout, watch.stop())
    write_results(folder.path, plan, folder.unfinished, outcome, environment)
    folder.finish()
    return Measured(outcome.failures, environment, outcome)


def print_end(measured: Measured, out: Console, log: Console) -> int:
    """Say what disturbed and what failed, and return the exit status."""
    for evidence in measured.environment["machine"]["disturbed"]:
        out.print(f"disturbed: {evidence} while this was measured", soft_wrap=True)
    for failure in measured.failures:
        log.print(f"failed: {failure.sentence()}", soft_wrap=True)
    return 1 if measured.failures else 0


def _plan(make_plan: MakePlan, folder: RunFolder, resume: bool, log: Console) -> Plan:
    """Return the plan of the run, which is recorded in ``folder``."""
    if resume:
        before = folder.unfinished_plan()
        with folder.scratch() as scratch, StepProgress(log) as steps:
            plan = make_plan(scratch, steps)
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
        plan = make_plan(folder.unfinished, steps)
    folder.begin(plan)
    return plan


def _run(plan: Plan, folder: RunFolder, budget: float, log: Console) -> Outcome:
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
