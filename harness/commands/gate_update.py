"""``dirtyscan gate --update``: make the reference anew after a deliberate change."""

import argparse

from rich.console import Console

from harness.commands.gate import FIND
from harness.commands.options import find_conditions, results_folder
from harness.counting.callgrind import require_valgrind
from harness.gate.counts import count_built_in
from harness.gate.evidence import Scope
from harness.gate.reference import RESULTS, SUFFIX
from harness.gate.requirement import check_rows
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
from harness.measurement.experiment import Experiment
from harness.measurement.preparation import prepare
from harness.measurement.run_folder import RunFolder
from harness.presentation.progress import ProgressDisplay
from harness.report.run_table import results_table
from harness.results.environment import read_environment
from harness.results.result import SPEEDUPS, read_table, write_result
from workloads.conditions import DEFAULT_CONDITIONS

PROCESSES, PRECISION = 20, 0.01


def update(options: argparse.Namespace, settings: Settings, out: Console, log: Console) -> int:
    """Measure what ``settings`` name, and put it in the place of the reference before."""
    by_default = str(RESULTS / f"{{cpu}}{SUFFIX}")
    given = options.baseline not in (None, FIND)
    path = results_folder(options.baseline if given else by_default)
    old = read_replaced(path)
    check_not_lowered(old, settings.requirements, options.lower_requirements)
    require_valgrind()  # before minutes of measuring, not after
    names = tuple(options.toolchain) or settings.toolchains
    scope = Scope(find_conditions(options.condition), seed=options.seed)
    request = request_speedups(
        scope, settings.variants, names, settings.requirements, PRECISION, PROCESSES
    )
    with RunFolder(path) as folder, ProgressDisplay(log) as tell:
        folder.set_aside()
        plan = prepare(request, folder, tell)
        check_rows(settings.requirements, plan)
        run = Experiment(plan, folder, options.budget * 2, tell).run()
        check_still_met(settings.requirements, run)
        names = toolchains_of(names, settings.requirements)
        instructions, _ = count_built_in(names, DEFAULT_CONDITIONS, tell)
        counted = (key.toolchain for key in instructions)
        write_result(run, folder.path, (*names, *plan.toolchains(), *counted))
        sources = own_sources(one_name_each(settings.variants))
        write_gate_file(folder.path, old, settings.requirements, instructions, sources)
        folder.finish()
    out.print(results_table(read_table(path, SPEEDUPS), read_environment(path)))
    out.print(f"reference: {path}", soft_wrap=True)
    return 0
