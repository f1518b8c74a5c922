"""Evidence by speedups: those of a stored reference, and those that are required, from one run.

The run of a reference has nothing in common with one of today but the machine, and what a neighbour
does to its caches and branch predictors lasts for seconds or minutes. So rows that are not found
unchanged are measured a second time, and what is slower must be so twice.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

from harness.gate.comparability import usable_timings
from harness.gate.decision import processes_for
from harness.gate.evidence import Scope
from harness.gate.finding import Basis, Compared, Finding, Verdict, join
from harness.gate.reference import Reference
from harness.gate.requirement import (
    Requirement,
    asked_for,
    check_requirements,
    check_rows,
    conditions_of,
    of_operation,
)
from harness.gate.row import Row, one_name_each, rows_of
from harness.gate.stored import (
    DOUBTFUL,
    Stored,
    compare_with_references,
    find_measurable,
    settle,
)
from harness.measurement.budget import BudgetTooShort
from harness.measurement.choice import choose
from harness.measurement.experiment import measure
from harness.measurement.lineup import line_up
from harness.measurement.plan import MIN_PROCESSES
from harness.measurement.request import Request, condition_traces
from harness.measurement.run import Run
from harness.measurement.tell import Tell
from harness.native.toolchain import default_toolchain, find_toolchains
from workloads.conditions import CONDITIONS, find_condition

TOLERANCE = 0.05
"""The share of a speedup that may be lost unless it is said otherwise."""
PRECISION = 0.025
"""The half-width of an interval that is good enough."""


@dataclasses.dataclass(frozen=True)
class Speedups:
    """Whether speedups are those of references, if there are some, and those that are required."""

    references: tuple[Reference, ...]
    """Of different operations."""
    requirements: tuple[Requirement, ...]
    scope: Scope

    def collect(self, tell: Tell) -> Verdict:
        """Measure once what the references and the requirements are about, and judge both.

        Raises:
            BadInput: a variant does not exist or compile, or one that is required has no row.
        """
        verdicts: list[Verdict] = []
        asked: dict[str, Stored | None] = {}
        for reference in self.references:
            usable = usable_timings(reference, self.scope.toolchains)
            verdicts.append(Verdict((), undecided=usable.reasons, remarks=usable.remarks))
            stored = find_measurable(reference, usable.toolchains)
            if stored.logs:
                asked[reference.gate.operation] = stored
            else:
                nothing = Compared(Basis.REFERENCE, reference.name, left_out=stored.left_out)
                verdicts.append(Verdict((), compared=(nothing,)))
        for one in self.requirements:
            asked.setdefault(one.rows.operation, None)
        processes = processes_for(sum(len(one.logs) for one in asked.values() if one))
        measured: list[_Measured] = []
        for operation, known in asked.items():
            request = self._request(operation, known, processes if known else MIN_PROCESSES)
            check = functools.partial(check_rows, self.requirements)
            try:
                run = measure(request, self.scope.budget / len(asked), tell, check)
            except BudgetTooShort as error:
                verdicts += [self._too_short(known, error), _astray(error.run)]
                continue
            measured.append(_Measured(known, request, rows_of(run)))
            verdicts.append(_astray(run))
        return join([*verdicts, *self._judge(measured, tell)])

    def _request(self, operation: str, stored: Stored | None, processes: int) -> Request:
        requirements = of_operation(self.requirements, operation)
        sources = [*(stored.sources if stored else ())]
        sources += [source for one in requirements for source in one.rows.sources]
        toolchains = self.scope.toolchains or (stored.toolchains if stored else ())
        return request_speedups(
            self.scope, operation, sources, toolchains, requirements, PRECISION, processes
        )

    def _too_short(self, stored: Stored | None, error: BudgetTooShort) -> Verdict:
        compared = [Compared(Basis.REFERENCE, stored.reference.name)] if stored else []
        compared += [asked_for(0)] if self.requirements else []
        return Verdict((), undecided=(str(error),), compared=tuple(compared))

    def _judge(self, measured: Sequence["_Measured"], tell: Tell) -> Iterator[Verdict]:
        """Judge all rows together, so that the chance of a false alarm is that of all of them."""
        known = [one for one in measured if one.stored]
        if known:
            yield self._compare(known, tell)
        if self.requirements and measured:
            rows = [row for one in measured for row in one.rows]
            yield check_requirements(self.requirements, rows)

    def _compare(self, measured: Sequence["_Measured"], tell: Tell) -> Verdict:
        """Compare with the references; what is doubtful is measured a second time."""
        allowed = self.scope.allowed(TOLERANCE)
        found = compare_with_references(_with_references(measured), allowed)
        doubtful = [row for row in found.findings if row.change in DOUBTFUL]
        again: list[_Measured] = []
        others: list[Verdict] = []
        for one in measured:
            rows = [row for row in doubtful if row.operation == one.request.lineup.operation]
            if not rows:
                continue
            request = self._second_request(one, rows)
            try:
                run = measure(request, self.scope.budget / len(measured), tell)
            except BudgetTooShort as error:
                others += [Verdict((), undecided=(str(error),)), _astray(error.run)]
                continue
            again.append(dataclasses.replace(one, rows=rows_of(run)))
            others.append(_astray(run))
        if not doubtful:
            return found
        second = compare_with_references(_with_references(again), allowed)
        return settle(found, join([second, *others]))

    def _second_request(self, measured: "_Measured", doubtful: Sequence[Finding]) -> Request:
        stored = measured.stored
        assert stored
        names = dict.fromkeys(row.trace.rpartition(" ")[0] for row in doubtful)
        conditions = tuple(find_condition(name) for name in names if name in CONDITIONS)
        others = () if names.keys() <= CONDITIONS.keys() else self.scope.traces
        variants = dict.fromkeys(row.variant for row in doubtful)
        sources = tuple(map(stored.reference.source, variants))
        operation = measured.request.lineup.operation
        requirements = of_operation(self.requirements, operation)
        toolchains = toolchains_of(self.scope.toolchains or stored.toolchains, requirements)
        return dataclasses.replace(
            measured.request,
            lineup=line_up(choose(sources, operation), find_toolchains(toolchains)),
            traces=condition_traces(conditions, seed=self.scope.seed) + others,
        )


@dataclasses.dataclass(frozen=True)
class _Measured:
    """What was measured of an operation."""

    stored: Stored | None
    """What of its reference can be measured, if it has one."""
    request: Request
    rows: list[Row]


def _with_references(measured: Sequence[_Measured]) -> list[tuple[Stored, list[Row]]]:
    return [(one.stored, one.rows) for one in measured if one.stored]


def request_speedups(
    scope: Scope,
    operation: str,
    sources: Sequence[str],
    toolchains: Sequence[str],
    requirements: Sequence[Requirement],
    precision: float,
    processes: int,
) -> Request:
    """Return the request of the variants ``sources`` on all traces that are asked for.

    Args:
        operation: of the variants.
        sources: names, or paths of files.
        toolchains: names; the default one is taken if there is none.
        requirements: of that operation; their conditions and toolchains take part too.
        precision: the half-width of an interval that is good enough.

    Raises:
        BadInput: two files would have one name.
    """
    conditions = conditions_of(scope.conditions, requirements)
    return Request(
        line_up(
            choose(one_name_each(sources, operation), operation),
            find_toolchains(toolchains_of(toolchains, requirements)),
        ),
        condition_traces(conditions, seed=scope.seed) + scope.traces,
        precision,
        scope.seed,
        processes=processes,
    )


def toolchains_of(
    toolchains: Sequence[str], requirements: Sequence[Requirement]
) -> tuple[str, ...]:
    """Return the names ``toolchains``, or the default one, with those that are required."""
    named = [one.rows.toolchain for one in requirements if one.rows.toolchain]
    return tuple(dict.fromkeys((*(toolchains or [default_toolchain().name]), *named)))


def _astray(run: Run | None) -> Verdict:
    return Verdict((), tuple(failure.sentence() for failure in (run.failures if run else ())))
