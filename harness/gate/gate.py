"""The gate: collects the evidence that is asked for and joins it."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.gate.finding import Verdict, join
from harness.gate.instruction_evidence import TOLERANCE as INSTRUCTIONS_TOLERANCE
from harness.gate.instruction_evidence import Key, compare_counts, count_variants
from harness.gate.lanes import Compiled, compile_pairs
from harness.gate.reference import Reference, read_reference
from harness.gate.reference_evidence import (
    PRECISION,
    compare_counts_with_reference,
    compare_with_reference,
    in_doubt,
    look_twice,
    processes_needed,
    usable_toolchains,
)
from harness.gate.reference_evidence import TOLERANCE as REFERENCE_TOLERANCE
from harness.gate.requirement import Requirement, check_requirements
from harness.gate.revision import Pair, pair_files, read_revision
from harness.gate.revision_evidence import TOLERANCE as REVISION_TOLERANCE
from harness.gate.revision_evidence import time_pairs
from harness.gate.timed import Row, Tellers, make_request, measure_in_scratch, rows_of
from harness.measurement.plan import MIN_PROCESSES
from harness.measurement.preparation import Request
from harness.native.operation import OPERATIONS
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.native.variant import built_in_variants
from workloads.conditions import Condition, find_condition
from workloads.draws import DEFAULT_SEED
from workloads.synthesis import Report


@dataclasses.dataclass(frozen=True)
class Question:
    """What the gate is asked."""

    conditions: tuple[Condition, ...]
    reference: Path | None = None
    """The stored result to compare with; None if no evidence needs one."""
    time_reference: bool = False
    """Whether anything got slower than the reference."""
    against: tuple[str, ...] = ()
    """Whether anything got slower than in a revision (one name), or one file than another (two)."""
    instructions: bool = False
    """Whether anything takes more instructions: than in ``against``, or than the reference."""
    requirements: tuple[Requirement, ...] = ()
    """Whether these hold."""
    toolchains: tuple[str, ...] = ()
    """Empty for the default one."""
    timed: bool = True
    """Whether what is compared with ``against`` is timed too, where instructions are counted."""
    even_unchanged: bool = False
    """Whether pairs that have compiled to the same code are timed too."""
    tolerance: float | None = None
    """In place of each evidence's own."""
    budget: float = 40.0
    """Seconds of measuring for each kind of evidence."""
    seed: int = DEFAULT_SEED

    def allowed(self, own: float) -> float:
        """Return the tolerance of an evidence whose own is ``own``."""
        return own if self.tolerance is None else self.tolerance


def ask(question: Question, tellers: Tellers) -> Verdict:
    """Collect the evidence that ``question`` asks for.

    Raises:
        BadInput: it cannot be collected.
    """
    verdicts: list[Verdict] = []
    if question.against:
        verdicts.append(_against(question, tellers))
    reference = read_reference(question.reference) if question.reference else None
    if reference and question.instructions and not question.against:
        verdicts.append(_count_against_reference(question, reference, tellers))
    if question.time_reference or question.requirements:
        timed = reference if question.time_reference else None
        verdicts.append(_measure(question, timed, tellers))
    return join(verdicts)


def _against(question: Question, tellers: Tellers) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        if len(question.against) == 2:
            pairs: tuple[Pair, ...] = (pair_files(*question.against),)
            remarks: list[str] = []
        else:
            revision = read_revision(question.against[0], Path(scratch))
            pairs, remarks = revision.pairs, list(revision.remarks)
            if revision.other_contract:
                return Verdict((), undecided=(revision.other_contract,), remarks=tuple(remarks))
        toolchains = [find_toolchain(name) for name in question.toolchains]
        compiled, left_out = compile_pairs(pairs, toolchains or [default_toolchain()])
        remarks += [f"not compared: {sentence}" for sentence in left_out]
        changed = [one for one in compiled if question.even_unchanged or not one.same_code]
        same = len(compiled) - len(changed)
        if same:
            remarks.append(
                f"{same} of {len(compiled)} variants have compiled to the very code of "
                f"{question.against[0]}, and cannot differ"
            )
        verdicts = [Verdict((), remarks=tuple(remarks))]
        if changed:
            verdicts += _compare_changed(question, changed, tellers)
    return join(verdicts)


def _compare_changed(
    question: Question, changed: Sequence[Compiled], tellers: Tellers
) -> list[Verdict]:
    verdicts = []
    if question.instructions:
        with tellers.steps() as report:
            before, after, why = count_variants(changed, report)
        tolerance = question.allowed(INSTRUCTIONS_TOLERANCE)
        verdicts += [compare_counts(before, after, tolerance), Verdict((), remarks=tuple(why))]
    if not question.timed:
        return verdicts
    tolerance = question.allowed(REVISION_TOLERANCE)
    conditions, budget = question.conditions, question.budget
    verdicts.append(time_pairs(changed, conditions, tolerance, budget, question.seed, tellers))
    return verdicts


def count_built_in(
    toolchains: Sequence[str], report: Report
) -> tuple[dict[Key, float], tuple[str, ...]]:
    """Count the instructions of every variant that comes with dirtyscan and can run here.

    Raises:
        BadInput: valgrind is not here.
    """
    pairs = [
        Pair(variant, variant)
        for operation in OPERATIONS
        for variant in built_in_variants(operation).values()
    ]
    compiled, left_out = compile_pairs(pairs, [find_toolchain(name) for name in toolchains])
    _, after, why = count_variants(compiled, report)
    return after, tuple(f"not counted: {sentence}" for sentence in left_out) + tuple(why)


def _count_against_reference(question: Question, reference: Reference, tellers: Tellers) -> Verdict:
    usable, undecided = usable_toolchains(reference)
    with tellers.steps() as report:
        after, _ = count_built_in(usable, report) if usable else ({}, ())
    tolerance = question.allowed(INSTRUCTIONS_TOLERANCE)
    verdict = compare_counts_with_reference(reference, after, tolerance)
    return dataclasses.replace(verdict, undecided=undecided)


def _measure(question: Question, reference: Reference | None, tellers: Tellers) -> Verdict:
    """Measure once what the reference and the requirements are about, and judge both."""
    variants: list[str] = []
    toolchains = question.toolchains
    undecided: list[str] = []
    processes = MIN_PROCESSES
    if reference:
        usable, reasons = usable_toolchains(reference)
        undecided += reasons
        if other := reference.other_machine():
            undecided.append(f"reference {reference.folder}: {other}")
            reference = None
        else:
            variants += reference.variants if usable else ()
            toolchains = toolchains or usable
            processes = processes_needed(reference)
    for requirement in question.requirements:
        variants += requirement.variants()
    verdicts = [Verdict((), undecided=tuple(undecided))]
    if variants:
        request = make_request(
            "count", _conditions(question), PRECISION, processes, question.seed,
            tuple(dict.fromkeys(variants)), toolchains,
        )  # fmt: skip
        verdicts += _judge(question, reference, request, tellers)
    return join(verdicts)


def _conditions(question: Question) -> tuple[Condition, ...]:
    named = (name for one in question.requirements for name in one.conditions())
    return tuple(dict.fromkeys((*question.conditions, *map(find_condition, named))))


def _judge(
    question: Question, reference: Reference | None, request: Request, tellers: Tellers
) -> list[Verdict]:
    plan, outcome = measure_in_scratch(request, question.budget, tellers)
    rows = rows_of(plan, outcome)
    verdicts = [Verdict((), tuple(failure.sentence() for failure in outcome.failures))]
    if reference:
        tolerance = question.allowed(REFERENCE_TOLERANCE)
        found = compare_with_reference(reference, rows, tolerance)
        if doubtful := in_doubt(found):
            conditions = tuple(map(find_condition, doubtful.conditions))
            again = dataclasses.replace(request, conditions=conditions, variants=doubtful.variants)
            rows_again = rows_of(*measure_in_scratch(again, question.budget, tellers))
            found = look_twice(found, compare_with_reference(reference, rows_again, tolerance))
        verdicts.append(found)
    verdicts.append(_required(question.requirements, rows))
    return verdicts


def _required(requirements: Sequence[Requirement], rows: Sequence[Row]) -> Verdict:
    findings, missing = check_requirements(requirements, rows)
    return Verdict(tuple(findings), undecided=tuple(missing))
