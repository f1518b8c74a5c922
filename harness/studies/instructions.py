"""Why, not only how much: instructions and mispredicted branches per page."""

import tempfile
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.base.errors import BadInput
from harness.counting.callgrind import Program, count_instructions, require_valgrind, total
from harness.counting.perf_counters import counters_obstacle, read_counters
from harness.machine.state import Watch
from harness.native.build import build_driver, build_variant, compiling_toolchain
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import DEFAULT_OPERATION
from harness.native.stopwatch import Snapshots, make_snapshots
from harness.native.toolchain import Toolchain, find_toolchains
from harness.native.variant import Variant, built_in_variants
from harness.presentation.dots import Dots
from harness.presentation.frames import make_panels
from harness.presentation.progress import ProgressDisplay
from harness.presentation.style import house_style
from harness.presentation.table import (
    Table,
    format_short,
    make_table,
    plain_columns,
    table_by_name,
)
from harness.results.environment import describe_environment
from harness.session.session import Session
from harness.statistics.spacing import evenly_spaced
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Study
from harness.trial.apart import find_faults
from workloads.captured import captured_trace
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.synthesis import Report, make_recipe, synthesize
from workloads.trace import Trace, open_trace

QUESTION = Question(
    "Why is a variant faster on one map than on another?",
    place=50,
    options=("variant", "toolchain", "plots"),
)
SNAPSHOTS = 8


class _NotCountedError(Exception):
    """Why a variant cannot be counted."""


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Count variants, all if none are named, on snapshots of the letter's conditions.

    Raises:
        BadInput: valgrind is not here, or a variant does not exist or compile, or none is left.
    """
    require_valgrind()
    if obstacle := counters_obstacle():
        session.leave_out(f"cycles and branch misses: {obstacle}")
    toolchains = find_toolchains(options.toolchains)
    names = options.variants or built_in_variants(DEFAULT_OPERATION)
    variants = [find_variant(name, DEFAULT_OPERATION) for name in names]
    watch = Watch()
    rows: list[dict[str, object]] = []
    made = {toolchains[0].name: toolchains[0]}
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        ProgressDisplay(session.log) as tell,
    ):
        traces = [(trace, _snapshots(trace)) for trace in _traces(Path(scratch), tell)]
        for done, variant in enumerate(variants, start=1):
            try:
                done_with: set[str] = set()
                for toolchain in toolchains:
                    used = compiling_toolchain(variant, toolchain)
                    if used.name not in done_with:
                        rows += _count(variant, toolchain, used.name, traces, read=not obstacle)
                        made |= {used.name: used} if used.command else {}
                    done_with.add(used.name)
            except _NotCountedError as error:
                session.leave_out(str(error))
            tell("variants", done, len(variants))
    if not rows:
        raise BadInput("none of the variants could be counted; name others with --variant.")
    layout = {"left_out": session.left_out}
    session.describe(describe_environment(list(made.values()), layout, watch.stop()))
    return pd.DataFrame(rows)


def _traces(scratch: Path, report: Report) -> list[Trace]:
    traces = []
    for name in DEFAULT_CONDITIONS:
        recipe = make_recipe(find_condition(name), GuestMemory())
        traces.append(synthesize(recipe, scratch / f"{name}.trace", report))
        path = captured_trace(name)
        if path:
            traces.append(open_trace(path))
    return traces


def _snapshots(trace: Trace) -> Snapshots:
    chosen = evenly_spaced(len(trace), SNAPSHOTS)
    return make_snapshots(list(trace.bitmaps(chosen)), chosen)


def _count(
    variant: Variant,
    toolchain: Toolchain,
    used: str,
    traces: list[tuple[Trace, Snapshots]],
    read: bool,
) -> list[dict[str, object]]:
    """Return a row for each trace, mispredictions by callgrind's simulated predictor.

    Args:
        used: the name of what compiles it where C is compiled with ``toolchain``.
        read: whether the counters of the CPU are read too.
    """
    built = build_variant(variant, toolchain)
    said = load_variant(built.path).description
    if why := said.obstacle():
        raise _NotCountedError(f"variant {variant.name} {why}")
    if said.paid_in:
        raise _NotCountedError(f"variant {variant.name}: its cost is paid in {said.paid_in}")
    if fault := find_faults([(variant, built)])[0]:
        raise _NotCountedError(f"variant {variant.name} {fault}")
    program = Program(build_driver(toolchain).path, built.path)
    rows: list[dict[str, object]] = []
    for trace, snapshots in traces:
        memory = trace.source.memory
        each = count_instructions(program, memory, snapshots)
        if isinstance(each, str):
            raise _NotCountedError(f"variant {variant.name}: {each}")
        counts, pages = total(each), memory.pages * len(snapshots)
        counters = read_counters(program, memory, snapshots) if read else None
        rows.append(
            {
                "condition": trace.source.condition or trace.source.name,
                "origin": trace.source.origin,
                "variant": variant.name,
                "map": said.map,
                "toolchain": used,
                "instructions_per_page": counts.instructions / pages,
                "branches_per_page": counts.conditional_branches / pages,
                "mispredicted_per_page": counts.mispredicted_branches / pages,
                "cycles_per_page": counters.cycles / pages if counters else None,
                "branch_misses_per_page": counters.branch_misses / pages if counters else None,
            }
        )
    return rows


def _summary(found: pd.DataFrame) -> Table:
    """Return instructions per page, and mispredictions per 1000 pages, on the captured traces."""
    shown = found[found["origin"] == "captured"]
    conditions = list(dict.fromkeys(shown["condition"]))
    heads = [f"{c}\ninstr." for c in conditions] + [f"{c}\nmispr." for c in conditions]
    lines = []
    several = len(set(found["toolchain"])) > 1
    for (variant, toolchain), group in shown.groupby(["variant", "toolchain"], sort=False):
        rows = group.set_index("condition")
        instructions = [format_short(rows.loc[c, "instructions_per_page"]) for c in conditions]
        missed = [format_short(1000 * rows.loc[c, "mispredicted_per_page"]) for c in conditions]
        name = f"{variant} {toolchain}" if several else str(variant)
        lines.append((name, *instructions, *missed))
    return table_by_name(QUESTION.text, ("a page; mispr. per 1000", *heads), lines)


_FIGURES = plain_columns(
    *("variant", "condition", ("instructions a page", "instructions_per_page")),
    ("mispredicted a page", "mispredicted_per_page"),
)


@house_style()
def draw_instructions(found: pd.DataFrame) -> Figure:
    """Draw each variant as its first toolchain has made it, a line a variant."""
    found = found.drop_duplicates(["condition", "origin", "variant"])
    found = found.assign(mispredicted_per_1000=1000 * found["mispredicted_per_page"])
    dots = Dots(found, "instructions_per_page", fastest_first=False)
    figure, (first, second) = make_panels(11, 0.27 * len(dots.order) + 1.9, 1, 2, sharey=True)
    dots.draw(first, found, "instructions_per_page", log=True)
    first.set_xlabel("instructions a page")
    first.set_title(f"Instructions, {found['toolchain'].iloc[0]}")
    dots.draw(second, found, "mispredicted_per_1000", log=False)
    second.set_xlabel("mispredicted branches per 1000 pages (simulated)")
    second.set_title("Branches that a simple predictor gets wrong")
    dots.name_lines(first)
    dots.add_legend(figure)
    return figure


STUDY = Study(
    measure=measure,
    summary=_summary,
    exhibit=Exhibit(
        title="Why: instructions and branches",
        said="Left the instructions a page, counted exactly; right the branches of a simple "
        "simulated predictor that go wrong. Variants without branches take the same work on every "
        "trace; the patch pays for every change between dirty and clean.",
        draw=draw_instructions,
        shown=(
            *("variant", "condition", "origin"),
            *("instructions_per_page", "mispredicted_per_page"),
        ),
        figures=lambda found: make_table(_FIGURES, found[found["origin"] == "captured"].head(100)),
    ),
    document=None,
    outcome=None,
)
