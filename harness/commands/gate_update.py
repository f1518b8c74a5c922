"""``dirtyscan gate --update``: make the reference anew after a deliberate change."""

import argparse

from rich.console import Console

from harness.commands.gate import FIND
from harness.commands.options import find_conditions, results_folder
from harness.gate.counts import count_built_in
from harness.gate.evidence import Scope
from harness.gate.reference import RESULTS, SUFFIX
from harness.gate.requirement import check_rows
from harness.gate.settings import Settings
from harness.gate.speedups import request_speedups
from harness.gate.timed import Tellers
from harness.gate.update import (
    check_not_lowered,
    check_still_met,
    own_sources,
    read_replaced,
    write_gate_file,
)
from harness.machine.environment import describe_environment
from harness.machine.state import Watch
from harness.measurement.callgrind import require_valgrind
from harness.measurement.experiment import Experiment
from harness.measurement.preparation import prepare
from harness.measurement.run_folder import RunFolder
from harness.native.toolchain import recorded_toolchain
from harness.presentation.table import results_table
from harness.statistics.results import SPEEDUPS, describe_layout, read_table, write_results
from workloads.conditions import DEFAULT_CONDITIONS

PROCESSES, PRECISION = 20, 0.01


def update(options: argparse.Namespace, settings: Settings, tellers: Tellers, out: Console) -> int:
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
    with RunFolder(path) as folder:
        folder.set_aside()
        with tellers.steps() as report:
            plan = prepare(request, folder.unfinished, report)
        check_rows(settings.requirements, plan)
        folder.begin(plan)
        watch = Watch()
        with tellers.measuring() as follow:
            outcome = Experiment(plan, folder, options.budget * 2, follow).run()
        check_still_met(settings.requirements, plan, outcome)
        with tellers.steps() as report:
            instructions, _ = count_built_in(request.toolchains, DEFAULT_CONDITIONS, report)
        layout = describe_layout(plan, outcome)
        compiled = [lane.toolchain for lane in plan.lanes if not lane.peer]
        used = dict.fromkeys(
            (*request.toolchains, *compiled, *(key.toolchain for key in instructions))
        )
        toolchains = [recorded_toolchain(name) for name in used]
        environment = describe_environment(toolchains, layout, watch.stop())
        write_results(folder.path, plan, folder.unfinished, outcome, environment)
        sources = own_sources(request.variants)
        write_gate_file(folder.path, old, settings.requirements, instructions, sources)
        folder.finish()
    out.print(results_table(read_table(path, SPEEDUPS)))
    out.print(f"reference: {path}", soft_wrap=True)
    return 0
