"""Evidence by speedups: those of a stored reference, and those that are required, from one run.

The run of a reference has nothing in common with one of today but the machine, and what a neighbour
does to its caches and branch predictors lasts for seconds or minutes. So rows that are not found
unchanged are measured a second time, and what is slower must be so twice.
"""

import dataclasses
import functools
from collections.abc import Sequence

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
)
from harness.gate.row import one_name_each, rows_of
from harness.gate.stored import (
    DOUBTFUL,
    Stored,
    compare_with_reference,
    find_measurable,
    settle,
)
from harness.measurement.choice import choose
from harness.measurement.experiment import BudgetTooShort, measure
from harness.measurement.lineup import line_up
from harness.measurement.plan import MIN_PROCESSES
from harness.measurement.request import Request, condition_traces
from harness.measurement.run import Run
from harness.measurement.tell import Tell
from harness.native.toolchain import default_toolchain, find_toolchains
from workloads.conditions import find_condition

TOLERANCE = 0.05
"""The share of a speedup that may be lost unless it is said otherwise."""
PRECISION = 0.025
"""The half-width of an interval that is good enough."""


@dataclasses.dataclass(frozen=True)
class Speedups:
    """Whether speedups are those of a reference, if there is one, and those that are required."""

    reference: Reference | None
    requirements: tuple[Requirement, ...]
    scope: Scope

    def collect(self, tell: Tell) -> Verdict:
        """Measure once what the reference and the requirements are about, and judge both.

        Raises:
            BadInput: a variant does not exist or compile, or one that is required has no row.
        """
        verdicts: list[Verdict] = []
        stored: Stored | None = None
        toolchains = self.scope.toolchains
        if self.reference:
            usable = usable_timings(self.reference, toolchains)
            verdicts.append(Verdict((), undecided=usable.reasons, remarks=usable.remarks))
            stored = find_measurable(self.reference, usable.toolchains)
            toolchains = toolchains or stored.toolchains
            if not stored.logs:
                what = Compared(Basis.REFERENCE, self.reference.name, left_out=stored.left_out)
                verdicts.append(Verdict((), compared=(what,)))
                stored = None
        sources = [*(stored.sources if stored else ())]
        sources += [source for one in self.requirements for source in one.sources]
        if sources:
            processes = processes_for(len(stored.logs)) if stored else MIN_PROCESSES
            request = request_speedups(
                self.scope, sources, toolchains, self.requirements, PRECISION, processes
            )
            verdicts += self._judge(stored, request, tell)
        return join(verdicts)

    def _judge(self, stored: Stored | None, request: Request, tell: Tell) -> list[Verdict]:
        check = functools.partial(check_rows, self.requirements)
        try:
            run = measure(request, self.scope.budget, tell, check)
        except BudgetTooShort as error:
            asked = [Compared(Basis.REFERENCE, stored.reference.name)] if stored else []
            asked += [asked_for(0)] if self.requirements else []
            return [Verdict((), undecided=(str(error),), compared=tuple(asked))]
        rows = rows_of(run)
        verdicts = [_astray(run)]
        if stored:
            found = compare_with_reference(stored, rows, self.scope.allowed(TOLERANCE))
            doubtful = [row for row in found.findings if row.change in DOUBTFUL]
            if doubtful:
                found = settle(found, self._look_again(stored, doubtful, request, tell))
            verdicts.append(found)
        if self.requirements:
            verdicts.append(check_requirements(self.requirements, rows))
        return verdicts

    def _look_again(
        self, stored: Stored, doubtful: Sequence[Finding], request: Request, tell: Tell
    ) -> Verdict:
        conditions = dict.fromkeys(row.trace.rpartition(" ")[0] for row in doubtful)
        variants = dict.fromkeys(row.variant for row in doubtful)
        sources = tuple(map(stored.reference.source, variants))
        traces = condition_traces(tuple(map(find_condition, conditions)), seed=self.scope.seed)
        names = toolchains_of(self.scope.toolchains or stored.toolchains, self.requirements)
        lineup = line_up(choose(sources), find_toolchains(names))
        again = dataclasses.replace(request, lineup=lineup, traces=traces)
        try:
            run = measure(again, self.scope.budget, tell)
        except BudgetTooShort as error:
            return Verdict((), undecided=(str(error),))
        rows = rows_of(run)
        found = compare_with_reference(stored, rows, self.scope.allowed(TOLERANCE))
        return join([found, _astray(run)])


def request_speedups(
    scope: Scope,
    sources: Sequence[str],
    toolchains: Sequence[str],
    requirements: Sequence[Requirement],
    precision: float,
    processes: int,
) -> Request:
    """Return the request of the variants ``sources`` on all traces that are asked for.

    Args:
        sources: names, or paths of files.
        toolchains: names; the default one is taken if there is none.
        requirements: their conditions and toolchains take part too.
        precision: the half-width of an interval that is good enough.

    Raises:
        BadInput: two files would have one name.
    """
    return Request(
        line_up(
            choose(one_name_each(sources)),
            find_toolchains(toolchains_of(toolchains, requirements)),
        ),
        condition_traces(conditions_of(scope.conditions, requirements), seed=scope.seed),
        precision,
        scope.seed,
        processes=processes,
    )


def toolchains_of(
    toolchains: Sequence[str], requirements: Sequence[Requirement]
) -> tuple[str, ...]:
    """Return the names ``toolchains``, or the default one, with those that are required."""
    named = [one.toolchain for one in requirements if one.toolchain]
    return tuple(dict.fromkeys((*(toolchains or [default_toolchain().name]), *named)))


def _astray(run: Run) -> Verdict:
    return Verdict((), tuple(failure.sentence() for failure in run.failures))
