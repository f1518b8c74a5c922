"""The gate: collects the evidence that is asked for and joins it."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.gate.comparability import usable_counts, usable_timings
from harness.gate.finding import Compared, Evidence, Verdict, join
from harness.gate.instruction_evidence import TOLERANCE as INSTRUCTIONS_TOLERANCE
from harness.gate.instruction_evidence import Key, compare_counts, count_variants
from harness.gate.lanes import Compiled, compile_pairs
from harness.gate.question import Question
from harness.gate.reference import Reference, read_reference
from harness.gate.reference_evidence import (
    PRECISION,
    Timeable,
    compare_counts_with_reference,
    compare_with_reference,
    in_doubt,
    look_twice,
    processes_needed,
    timeable,
)
from harness.gate.reference_evidence import TOLERANCE as REFERENCE_TOLERANCE
from harness.gate.requirement import asked_for, check_requirements, check_rows
from harness.gate.revision import Older, Pair, pair_files, read_revision
from harness.gate.revision_evidence import TOLERANCE as REVISION_TOLERANCE
from harness.gate.revision_evidence import time_pairs
from harness.gate.row import Row, one_name_each, rows_of
from harness.measurement.choice import choose
from harness.measurement.experiment import BudgetTooShort, measure
from harness.measurement.lineup import line_up
from harness.measurement.plan import MIN_PROCESSES, Plan
from harness.measurement.request import Request, condition_traces
from harness.measurement.tell import Tell
from harness.native.operation import OPERATIONS
from harness.native.toolchain import (
    Toolchain,
    default_toolchain,
    find_toolchain,
    find_toolchains,
    toolchain_names,
)
from harness.native.variant import built_in_variants
from workloads.conditions import find_condition
from workloads.synthesis import Report


def ask(question: Question, tell: Tell) -> Verdict:
    """Collect the evidence that ``question`` asks for.

    Raises:
        BadInput: it cannot be collected.
    """
    verdicts: list[Verdict] = []
    if question.against:
        verdicts.append(_against(question, tell))
    reference = read_reference(question.reference) if question.reference else None
    if reference and question.instructions and not question.against:
        verdicts.append(_count_against_reference(question, reference, tell))
    if question.time_reference or question.requirements:
        timed = reference if question.time_reference else None
        verdicts.append(_measure(question, timed, tell))
    return join(verdicts)


def _against(question: Question, tell: Tell) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        if len(question.against) == 2:
            older = pair_files(*question.against)
        else:
            older = read_revision(question.against[0], Path(scratch), question.merge_base)
        if older.other_contract:
            compared = Compared(Evidence.REVISION, older.name)
            undecided = (older.other_contract,)
            return Verdict((), undecided=undecided, remarks=older.remarks, compared=(compared,))
        toolchains = [find_toolchain(name) for name in question.toolchains]
        compiled, left_out = compile_pairs(older.pairs, toolchains or [default_toolchain()])
        changed = [one for one in compiled if question.even_unchanged or not one.same_code]
        able = [one for one in changed if not one.obstacle]
        left_out += [*older.left_out, *(one.obstacle for one in changed if one.obstacle)]
        compared = Compared(
            Evidence.REVISION,
            older.name,
            len(compiled),
            len(compiled) - len(changed),
            tuple(dict.fromkeys(left_out)),
        )
        verdicts = [Verdict((), remarks=older.remarks, compared=(compared,))]
        if able:
            verdicts += _compare_changed(question, older, able, tell)
    return join(verdicts)


def _compare_changed(
    question: Question, older: Older, changed: Sequence[Compiled], tell: Tell
) -> list[Verdict]:
    verdicts = []
    if question.instructions:
        names = [condition.name for condition in question.conditions]
        before, after, why = count_variants(changed, names, tell)
        tolerance = question.allowed(INSTRUCTIONS_TOLERANCE)
        verdicts.append(compare_counts(before, after, tolerance, older.name, why))
    if not question.timed:
        return verdicts
    tolerance = question.allowed(REVISION_TOLERANCE)
    conditions, budget = question.conditions, question.budget
    verdicts.append(time_pairs(changed, conditions, tolerance, budget, question.seed, tell))
    return verdicts


def count_built_in(
    toolchains: Sequence[str], conditions: Sequence[str], report: Report
) -> tuple[dict[Key, float], tuple[str, ...]]:
    """Count the instructions of every variant that comes with dirtyscan and can run here.

    Args:
        toolchains: of C; rustc's goes with them.
        conditions: on whose captured traces they are counted.

    Returns:
        Instructions a page, and why some could not be counted.

    Raises:
        BadInput: valgrind is not here.
    """
    pairs = [
        Pair(variant, variant)
        for operation in OPERATIONS
        for variant in built_in_variants(operation).values()
    ]
    compiled, left_out = compile_pairs(pairs, [find_toolchain(name) for name in toolchains])
    able = [one for one in compiled if not one.obstacle]
    left_out += [one.obstacle for one in compiled if one.obstacle]
    _, after, why = count_variants(able, conditions, report)
    return after, (*left_out, *why)


def _count_against_reference(question: Question, reference: Reference, tell: Tell) -> Verdict:
    usable = usable_counts(reference, question.toolchains)
    part = usable.reference
    after: dict[Key, float] = {}
    why: tuple[str, ...] = ()
    if part.toolchains:
        # Rust is compiled beside C; of what is counted, only what the reference has is compared.
        of_c = [name for name in part.toolchains if name in toolchain_names()]
        names = of_c or [default_toolchain().name]
        conditions = [condition.name for condition in question.conditions]
        counted, why = count_built_in(names, conditions, tell)
        after = {key: n for key, n in counted.items() if key.toolchain in part.toolchains}
        part = part.on_traces({key.trace for key in after})
    tolerance = question.allowed(INSTRUCTIONS_TOLERANCE)
    verdict = compare_counts_with_reference(part, after, why, tolerance)
    return dataclasses.replace(verdict, undecided=usable.reasons, remarks=usable.remarks)


def _measure(question: Question, reference: Reference | None, tell: Tell) -> Verdict:
    """Measure once what the reference and the requirements are about, and judge both."""
    verdicts: list[Verdict] = []
    sources: list[str] = []
    toolchains = question.toolchains
    stored: Timeable | None = None
    if reference:
        usable = usable_timings(reference, question.toolchains)
        stored = timeable(usable.reference)
        sources += stored.sources
        toolchains = toolchains or stored.toolchains
        verdicts.append(Verdict((), undecided=usable.reasons, remarks=usable.remarks))
        if not stored.sources:
            compared = Compared(Evidence.REFERENCE, reference.name, left_out=stored.left_out)
            verdicts.append(Verdict((), compared=(compared,)))
            stored = None
    sources += [source for one in question.requirements for source in one.sources]
    if not sources:
        return join(verdicts)
    named = [one.toolchain for one in question.requirements if one.toolchain]
    toolchains = toolchains or (default_toolchain().name,)
    used = find_toolchains(tuple(dict.fromkeys((*toolchains, *named))))
    request = Request(
        line_up(choose(one_name_each(sources)), used),
        condition_traces(question.all_conditions(), seed=question.seed),
        PRECISION,
        question.seed,
        processes=processes_needed(stored.reference) if stored else MIN_PROCESSES,
    )
    return join([*verdicts, *_judge(question, stored, request, used, tell)])


def _judge(
    question: Question,
    stored: Timeable | None,
    request: Request,
    toolchains: Sequence[Toolchain],
    tell: Tell,
) -> list[Verdict]:
    requirements, budget = question.requirements, question.budget

    def check(plan: Plan) -> None:
        check_rows(requirements, plan)

    try:
        run = measure(request, budget, tell, check)
    except BudgetTooShort as error:
        asked = [Compared(Evidence.REFERENCE, stored.reference.name)] if stored else []
        asked += [asked_for(0)] if requirements else []
        return [Verdict((), undecided=(str(error),), compared=tuple(asked))]
    rows = rows_of(run)
    verdicts = [Verdict((), tuple(failure.sentence() for failure in run.failures))]
    if stored:
        verdicts += _judge_twice(question, stored, request, toolchains, rows, tell)
    if requirements:
        verdicts.append(check_requirements(requirements, rows))
    return verdicts


def _judge_twice(
    question: Question,
    stored: Timeable,
    request: Request,
    toolchains: Sequence[Toolchain],
    rows: Sequence[Row],
    tell: Tell,
) -> list[Verdict]:
    """Compare with a reference, and measure a second time what is not found unchanged."""
    tolerance = question.allowed(REFERENCE_TOLERANCE)
    found = compare_with_reference(stored.reference, rows, tolerance)
    left_out = (*(one for part in found.compared for one in part.left_out), *stored.left_out)
    compared = tuple(dataclasses.replace(one, left_out=left_out) for one in found.compared)
    found = dataclasses.replace(found, compared=compared)
    doubtful = in_doubt(found)
    if not doubtful:
        return [found]
    again = dataclasses.replace(
        request,
        lineup=line_up(choose(tuple(map(stored.reference.source, doubtful.variants))), toolchains),
        traces=condition_traces(
            tuple(map(find_condition, doubtful.conditions)), seed=question.seed
        ),
    )
    try:
        run = measure(again, question.budget, tell)
    except BudgetTooShort as error:
        return [look_twice(found, Verdict(())), Verdict((), undecided=(str(error),))]
    second = compare_with_reference(stored.reference, rows_of(run), tolerance)
    broken = tuple(failure.sentence() for failure in run.failures)
    return [look_twice(found, second), Verdict((), broken)]
