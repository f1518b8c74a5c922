"""Evidence against a revision, or an older file: what has compiled otherwise since is compared.

Both sides are timed in turn, in the same processes.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.gate.decision import compare_pairs, decide, fewest_for, processes_for
from harness.gate.evidence import Scope
from harness.gate.finding import Basis, Change, Compared, Finding, Verdict, join
from harness.gate.git import TREE
from harness.gate.lanes import Compiled, OlderBroken, compile_pairs, line_up_pairs
from harness.gate.placing import (
    Subject,
    is_slower_in_some,
    of_equal_instructions,
    settle_placement,
    subject,
)
from harness.gate.repository import read_repository
from harness.gate.revision import Older, is_own_clone, pair_files, read_revision
from harness.gate.row import Row, rows_of
from harness.gate.tolerance import Tolerances
from harness.machine.state import shared_core
from harness.measurement.budget import BudgetTooShort
from harness.measurement.experiment import Look, measure
from harness.measurement.request import Request, condition_traces
from harness.measurement.run import Run
from harness.measurement.tell import Tell
from harness.native.toolchain import find_toolchains

TOLERANCE = 0.01
"""The share of the speed that may be lost unless it is said otherwise."""
ORIGINS = ("synthetic", "captured")
"""Of the traces that both sides are timed on; recorded ones take half as long again, and show
nothing of a change that these two do not."""
PRECISION = 0.8
"""The half-width of an interval that is good enough, as a share of the tolerance."""
LOOKS = (6, 10, 20, 28)
"""Processes after which it may be seen what became of every variant, before intervals are narrow.

Ranks give an interval by the first, when nothing can be called slower yet. Later each row may be,
and the chance of a false alarm is divided among these looks, one more (:func:`looks_for`) and the
last one."""
DECISIONS = len(LOOKS) + 1
"""How often a row may be called slower: not at the first look, and at the end besides."""
FINEST = 0.001  # what a machine can give, whatever the tolerance


@dataclasses.dataclass(frozen=True)
class Changed:
    """What has compiled to other code than before, and can run here."""

    since: str
    """A revision with its commit; or a file."""
    compiled: tuple[Compiled, ...]


def looks_for(rows: int) -> tuple[int, ...]:
    """Return :data:`LOOKS`, and the first at which one of ``rows`` can be slower if all agree."""
    return tuple(sorted({*LOOKS, fewest_for(rows, DECISIONS)}))


Way = Callable[[Changed, Scope, Tell], Verdict]
"""Compares both sides of what has changed."""


@dataclasses.dataclass(frozen=True)
class Against:
    """Whether anything got worse since a revision (one name), or from one file to another (two)."""

    names: tuple[str, ...]
    scope: Scope
    ways: tuple[Way, ...]
    """How what has changed is compared."""
    files: tuple[str, ...] = ()
    """Of variants, in the current folder's repository; those of its manifest if there are none."""
    merge_base: bool = False
    """Whether the revision stands for the commit at which the working tree has left it."""
    even_unchanged: bool = False
    """Whether pairs that have compiled to the same code are compared too."""

    def collect(self, tell: Tell) -> Verdict:
        """Compile both sides, and compare those whose code differs in every way.

        Raises:
            BadInput: there is no such revision or file, or one of now does not compile.
        """
        with (
            tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
            contextlib.ExitStack() as stack,
        ):
            older = stack.enter_context(self._older(Path(scratch)))
            toolchains = find_toolchains(self.scope.toolchains)
            compiled: list[Compiled] = []
            left_out = list(older.left_out)
            undecided = list(older.undecided)
            for pair in older.pairs:
                try:
                    made, obstacles = compile_pairs([pair], toolchains)
                except OlderBroken as error:
                    undecided.append(f"{pair.name}: {_then(str(error), Path(scratch), older.name)}")
                    continue
                compiled += made
                left_out += obstacles
            changed = [one for one in compiled if self.even_unchanged or not one.same_code]
            able = tuple(one for one in changed if not one.obstacle)
            left_out += [one.obstacle for one in changed if one.obstacle]
            compared = Compared(
                Basis.REVISION,
                older.name,
                len(compiled),
                len(compiled) - len(changed),
                tuple(dict.fromkeys(left_out)),
            )
            found = Verdict((), (), tuple(undecided), older.remarks, (compared,))
            ways = self.ways if able else ()
            what = Changed(older.name, able)
            return join([found, *(way(what, self.scope, tell) for way in ways)])

    def _older(self, scratch: Path) -> contextlib.AbstractContextManager[Older]:
        if len(self.names) == 2:
            return contextlib.nullcontext(pair_files(*self.names))
        if not self.files and is_own_clone():
            return contextlib.nullcontext(read_revision(self.names[0], scratch, self.merge_base))
        return read_repository(self.names[0], scratch, self.merge_base, self.files)


def _then(said: str, scratch: Path, name: str) -> str:
    """Return ``said``, with files of the revision called as what they are of it."""
    return said.replace(str(scratch / TREE), name).replace(str(scratch), name)


def time_changed(changed: Changed, scope: Scope, tell: Tell) -> Verdict:
    """Time both sides on all traces of the conditions and say what got slower.

    Where the older side counts wrong or crashes there is nothing to compare, and that is undecided.

    Raises:
        BadInput: a trace cannot be read, or a file has changed meanwhile.
    """
    judge = _Judge(changed.compiled, scope.allowed(TOLERANCE), tell)
    traces = condition_traces(scope.conditions, ORIGINS, seed=scope.seed) + scope.traces
    # What the looks leave open is a row near the tolerance, which few processes do not decide,
    # however narrow its interval is.
    count = len(changed.compiled) * len(traces)
    processes = max(processes_for(count, DECISIONS), LOOKS[-1] + 1)
    finest = judge.allowed.finest([one.pair.name for one in changed.compiled])
    precision = max(PRECISION * finest, FINEST)
    rows: list[Row] = []
    broken: list[str] = []
    undecided: list[str] = []
    remarks: list[str] = []
    by_operation: dict[str, list[Compiled]] = {}
    for one in changed.compiled:
        by_operation.setdefault(one.pair.after.operation, []).append(one)
    for operation, chosen in by_operation.items():
        lineup = line_up_pairs(chosen)
        request = Request(
            lineup,
            traces,
            precision,
            scope.seed,
            processes=processes,
            other_work=False,  # which takes longer, and makes no ratio more certain
        )
        share = scope.budget * len(chosen) / len(changed.compiled)
        looks = [Look(number, judge.is_clear) for number in looks_for(count)]
        try:
            run = measure(request, share, tell, looks=looks)
            rows += rows_of(run)
        except BudgetTooShort as error:
            undecided.append(f"{operation}: {error}")
            if error.run is None:
                continue
            run = error.run
        for failure in run.failures:
            if run.plan.lanes[failure.lane].is_older:
                where = f"in snapshot {failure.snapshot} of {failure.trace}"
                of_pair = chosen[failure.lane // 2]
                undecided.append(of_pair.was_wrong(changed.since, f"{failure.what}, {where}"))
            else:
                broken.append(failure.sentence())
        remarks += [shared_core(run.slowed)] if run.is_slowed else []
    return Verdict(tuple(judge.findings(rows)), tuple(broken), tuple(undecided), tuple(remarks))


class _Judge:
    """Says of rows what became of them."""

    def __init__(self, compiled: Sequence[Compiled], allowed: Tolerances, tell: Tell) -> None:
        self.allowed = allowed
        self._compiled = compiled
        self._tell = tell
        self._counted: dict[Subject, bool | None] = {}
        """Whether what had to be counted takes as many instructions as before; None if that cannot
        be counted."""

    def findings(self, rows: Sequence[Row], width: float | None = None) -> list[Finding]:
        """Return what became of ``rows``; see :func:`decide` for ``width``."""
        tolerances = [self.allowed.of(*row.about) for row in rows]
        pairs = zip(rows, tolerances, strict=True)
        comparisons = [compare_pairs(row.logs, tolerance) for row, tolerance in pairs]
        changes = decide(comparisons, tolerances, width, looks=DECISIONS)
        found = [
            row.finding(Basis.REVISION, "ns", row.original_nanoseconds(), compared, change)
            for row, compared, change in zip(rows, comparisons, changes, strict=True)
        ]
        doubtful = {subject(one) for one in found if is_slower_in_some(one, self.allowed)}
        if uncounted := doubtful - self._counted.keys():
            chosen = [one for one in self._compiled if one.subject in uncounted]
            equal = of_equal_instructions(chosen, self._tell)
            for one in uncounted:
                self._counted[one] = None if equal is None else one in equal
        return [
            settle_placement(one, self.allowed, self._counted.get(subject(one))) for one in found
        ]

    def is_clear(self, run: Run) -> bool:
        """Say whether it is known of each variant that it is slower somewhere, or nowhere.

        A row is not slower if its whole interval says so.
        """
        findings = self.findings(rows_of(run), width=0.0)
        slower = {subject(one) for one in findings if one.change is Change.SLOWER}
        clear = (Change.UNCHANGED, Change.FASTER)
        return all(one.change in clear or subject(one) in slower for one in findings)
