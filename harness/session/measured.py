"""A measurement as somebody starts it: planned, shown, resumed, and written as results."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from harness.measurement.budget import Budget, BudgetTooShort
from harness.measurement.experiment import Experiment
from harness.measurement.preparation import prepare
from harness.measurement.request import Request
from harness.measurement.run import Run
from harness.measurement.run_folder import RunFolder
from harness.presentation.progress import ProgressDisplay
from harness.results.environment import read_environment
from harness.results.result import write_result
from harness.session.budget import check_budget
from harness.trial.failure import Failure, read_failures


@dataclasses.dataclass(frozen=True)
class Measured:
    """A finished measurement, whose files are written."""

    failures: tuple[Failure, ...]
    """Variants that went astray."""
    environment: dict[str, Any]
    run: Run | None = None
    """None if it had been finished but for moving its files."""


def measure(
    request: Request, folder: RunFolder, budget: Budget, resume: bool, log: Console
) -> Measured:
    """Measure ``request`` into ``folder``, until it is precise enough or ``budget`` is spent.

    Raises:
        BadInput: it cannot be planned, or is not the run to resume.
    """
    if not resume and (aside := folder.set_aside()):
        log.print(f"an unfinished run was kept as {aside}", soft_wrap=True)
    with ProgressDisplay(log) as tell:
        if not resume:
            check_budget(request, budget, tell)
        plan = prepare(request, folder, tell, resume)
    if resume and folder.is_written():
        folder.finish()
        failures = read_failures(folder.finished_samples.failures)
        return Measured(failures, read_environment(folder.path))
    for sentence in plan.left_out:
        log.print(f"left out: {sentence}", soft_wrap=True)
    for sentence in plan.unvaried:
        log.print(sentence, soft_wrap=True)
    try:
        with ProgressDisplay(log) as tell:
            run = Experiment(plan, folder, budget, tell).run()
    except BudgetTooShort as error:
        _print_failures(error.run.failures if error.run else (), log)
        folder.discard()  # nothing in it is worth going on with
        raise
    except KeyboardInterrupt:
        if kept := len(folder.samples.processes()):
            log.print(
                f"interrupted: the samples of {kept} processes are kept in {folder.path}"
                + ("; go on with --resume and the same options." if folder.resumable else "."),
                soft_wrap=True,
            )
        raise
    environment = write_result(run, folder.path)
    folder.finish()
    return Measured(run.failures, environment, run)


def print_end(measured: Measured, out: Console, log: Console) -> int:
    """Say what disturbed and what failed, and return the exit status."""
    for evidence in measured.environment["machine"]["disturbed"]:
        out.print(f"disturbed: {evidence} while this was measured")
    _print_failures(measured.failures, log)
    return 1 if measured.failures else 0


def _print_failures(failures: Sequence[Failure], log: Console) -> None:
    for failure in failures:
        log.print(f"failed: {failure.sentence()}", soft_wrap=True)
