"""``dirtyscan gate --update``: make the references anew after a deliberate change."""

import argparse
import dataclasses
from pathlib import Path

from rich.console import Console

from harness.base.errors import BadInput
from harness.commands.gate import BUDGET
from harness.commands.options import find_conditions, results_folder
from harness.counting.callgrind import require_valgrind
from harness.gate.counts import all_built_in, count_all
from harness.gate.evidence import Scope
from harness.gate.reference import RESULTS, SUFFIX, Reference, folder_of
from harness.gate.requirement import Requirement, check_rows, of_operation
from harness.gate.row import one_name_each
from harness.gate.settings import Settings
from harness.gate.speedups import request_speedups, toolchains_of
from harness.gate.update import (
    check_not_lowered,
    check_still_met,
    own_sources,
    read_replaced,
    write_gate_file,
)
from harness.machine.state import shared_core
from harness.measurement.budget import Budget
from harness.measurement.experiment import Experiment
from harness.measurement.preparation import prepare
from harness.measurement.run_folder import RunFolder
from harness.measurement.tell import Tell
from harness.native.finding import find_variant, is_own
from harness.native.variant import Variant
from harness.presentation.progress import ProgressDisplay
from harness.report.run_table import results_table
from harness.results.environment import read_environment
from harness.results.result import SPEEDUPS, read_table, write_result
from workloads.conditions import DEFAULT_CONDITIONS

PROCESSES, PRECISION = 20, 0.01


@dataclasses.dataclass(frozen=True)
class _Update:
    """One reference that is to be made."""

    operation: str
    folder: Path
    old: Reference | None
    variants: tuple[str, ...]
    """That are timed: names, or paths of files."""
    requirements: tuple[Requirement, ...]
    counted: tuple[Variant, ...]
    """Of which instructions are counted."""
    toolchains: tuple[str, ...]


def update(options: argparse.Namespace, settings: Settings, out: Console, log: Console) -> int:
    """Measure what ``settings`` name, and put it in the place of the references before."""
    updates = _plan(options, settings)
    for one in updates:
        check_not_lowered(
            one.old, one.requirements, options.lower_requirements, settings.own_traces
        )
    require_valgrind()  # before minutes of measuring, not after
    conditions = find_conditions(options.condition)
    scope = Scope(conditions, seed=options.seed, traces=settings.traces)
    budget = Budget.of(options.budget, BUDGET)
    with ProgressDisplay(log) as tell:
        for one in updates:
            _make(one, scope, dataclasses.replace(budget, seconds=2 * budget.seconds), tell)
    for one in updates:
        out.print(results_table(read_table(one.folder, SPEEDUPS), read_environment(one.folder)))
        out.print(f"reference: {one.folder}", soft_wrap=True)
    return 0


def _plan(options: argparse.Namespace, settings: Settings) -> list[_Update]:
    """Return what is to be made: one reference for each operation that something is named of.

    Instructions are counted of all that comes with dirtyscan where some of it is named, and of what
    is one's own.
    """
    by_default = str(RESULTS / f"{{cpu}}{SUFFIX}")
    given = options.baseline or [by_default]
    if len(given) > 1:
        raise BadInput("--update makes the reference in one folder; name one with --baseline.")
    base = results_folder(given[0])
    counted = () if all(map(is_own, settings.variants)) else tuple(all_built_in())
    updates = []
    for operation, variants in settings.by_operation().items():
        folder = folder_of(base, operation)
        own = tuple(find_variant(name, operation) for name in variants if is_own(name))
        requirements = tuple(of_operation(settings.requirements, operation))
        names = tuple(options.toolchain) or settings.toolchains
        old = read_replaced(folder)
        updates.append(
            _Update(operation, folder, old, variants, requirements, (*counted, *own), names)
        )
        counted = ()
    return updates


def _make(one: _Update, scope: Scope, budget: Budget, tell: Tell) -> None:
    """Measure one reference and write it.

    Raises:
        BadInput: it cannot be measured, or a requirement does not hold.
    """
    request = request_speedups(
        scope, one.operation, one.variants, one.toolchains, one.requirements, PRECISION, PROCESSES
    )
    with RunFolder(one.folder, resumable=False) as folder:
        folder.set_aside()
        plan = prepare(request, folder, tell)
        check_rows(one.requirements, plan)
        run = Experiment(plan, folder, budget, tell).run()
        if run.is_slowed:
            raise BadInput(
                f"{shared_core(run.slowed)}, so this would be a reference of a core that somebody "
                "shares; make it when nothing does ('dirtyscan doctor' says), or elsewhere."
            )
        check_still_met(one.requirements, run)
        names = toolchains_of(one.toolchains, one.requirements)
        counts = count_all(one.counted, names, DEFAULT_CONDITIONS, tell)
        if counts.broken:  # on what is timed, it has been said by now
            raise BadInput(f"{counts.broken[0]}; no reference can be made of it.")
        instructions = counts.instructions
        used = (key.toolchain for key in instructions)
        write_result(run, folder.path, (*names, *plan.toolchains(), *used))
        sources = own_sources(one_name_each(one.variants, one.operation), one.operation)
        write_gate_file(
            folder.path, one.operation, one.old, one.requirements, instructions, sources
        )
        folder.finish()
