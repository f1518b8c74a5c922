"""From a request to a plan: its traces are made, its libraries kept."""

import dataclasses
import platform
from collections.abc import Sequence
from pathlib import Path

from harness import __version__
from harness.base.errors import BadInput
from harness.base.files import copy_file
from harness.machine.cpu import cpu_model
from harness.measurement.plan import (
    FULL_PASS_PAGES,
    QUICK_PASS_PAGES,
    Lane,
    Plan,
    plan_traces,
)
from harness.measurement.request import Draft, Given, Request
from harness.measurement.run_folder import RunFolder
from harness.measurement.tell import Tell, quiet
from harness.native.build import build_stopwatch, build_trial
from harness.native.cache import require_loadable
from harness.native.placement import CLASSES
from workloads.trace import Trace, open_trace

LIBRARIES, TRACES = "libraries", "traces"


def prepare(request: Request, folder: RunFolder, tell: Tell = quiet, resume: bool = False) -> Plan:
    """Plan ``request`` in ``folder``, from when on the run can be gone on with.

    Args:
        resume: whether there is such a run already, which is gone on with.

    Raises:
        BadInput: a trace cannot be read or made; or what is to be resumed is no such run.
    """
    if not resume:
        plan = _make_plan(request, folder.unfinished, tell)
        folder.begin(plan)
        return plan
    before = folder.unfinished_plan()
    with folder.scratch() as scratch:
        plan = _make_plan(request, scratch, tell)
    for field in dataclasses.fields(Plan):
        if getattr(before, field.name) != getattr(plan, field.name):
            raise BadInput(
                f"the unfinished run in {folder.path} differs from this one in its "
                f"{field.name}; resume with the same options, dirtyscan and machine, or start "
                "anew without --resume."
            )
    return plan


def _make_plan(request: Request, base: Path, tell: Tell) -> Plan:
    """Make the traces and keep the libraries of ``request`` under ``base``."""
    for given in request.traces:
        if isinstance(given, Path):
            open_trace(given).verify()
    lineup = request.lineup
    lanes = [_keep_lane(lane, base, f"lane-{number}") for number, lane in enumerate(lineup.lanes)]
    stopwatch = _keep(build_stopwatch(lineup.toolchain).path, base, "stopwatch")
    trial = _keep(build_trial(lineup.toolchain).path, base, "trial")
    traces = _make_traces(request.traces, base / TRACES, tell)
    quick = request.quick or request.between  # which takes as long as a call or longer
    pass_pages = QUICK_PASS_PAGES if quick else FULL_PASS_PAGES
    # As many calls whatever the number of placements: most of the noise is of the process.
    pass_pages = pass_pages * CLASSES // lineup.parts
    return Plan(
        version=__version__,
        host=f"{platform.node()}, {cpu_model()}, Python {platform.python_version()}",
        operation=lineup.operation,
        stopwatch=stopwatch,
        trial=trial,
        lanes=tuple(lanes),
        left_out=lineup.left_out,
        unvaried=lineup.unvaried,
        traces=plan_traces(traces, base, pass_pages),
        rounds=request.rounds,
        precision=request.precision,
        seed=request.seed,
        processes=request.processes,
        one_cpu=request.one_cpu,
        between=request.between,
        other_work=request.other_work and not request.between,
        parts=lineup.parts,
    )


def _keep_lane(lane: Lane, base: Path, name: str) -> Lane:
    if lane.peer:
        return lane
    placed = (_keep(Path(path), base, f"{name}-{place}") for place, path in enumerate(lane.placed))
    return dataclasses.replace(
        lane, library=_keep(Path(lane.library), base, name), placed=tuple(placed)
    )


def _keep(library: Path, base: Path, name: str) -> str:
    """Copy ``library`` into the run, so that resuming it has the very same code.

    Returns:
        Its path from ``base``.
    """
    path = base / LIBRARIES / f"{name}.so"
    copy_file(library, path)
    remedy = "name a folder that allows it with --output or, for what is temporary, with TMPDIR"
    require_loadable(path.parent, remedy)
    return str(path.relative_to(base))


def _make_traces(traces: Sequence[Given], folder: Path, tell: Tell) -> list[Trace]:
    made = []
    for done, given in enumerate(traces, start=1):
        if isinstance(given, Draft):
            made.append(given.write(_free(folder, f"{given.name}-synthetic"), tell))
        else:
            trace = open_trace(given)
            path = _free(folder, f"{given.stem}-{trace.source.origin}")
            copy_file(given, path)
            made.append(dataclasses.replace(trace, path=path))
        tell("traces", done, len(traces))
    return made


def _free(folder: Path, name: str) -> Path:
    """Return where a trace called ``name`` goes; from the second of its name on it is numbered."""
    number = sum(path.name.startswith(name) for path in folder.glob("*"))
    return folder / f"{name}{f'-{number + 1}' if number else ''}.trace"
