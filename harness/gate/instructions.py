"""Evidence by instructions: what callgrind counts on fixed snapshots, with no noise at all.

Instructions are not time: a variant may take more of them and be faster. What takes 1 % more where
nobody meant it to is worth a look all the same.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from harness.base.errors import BadInput
from harness.counting.callgrind import require_valgrind
from harness.gate.against import Changed
from harness.gate.comparability import usable_counts
from harness.gate.counts import Counted, all_built_in, count_all, count_variants
from harness.gate.evidence import Scope
from harness.gate.finding import Basis, Change, Compared, Finding, Verdict, join
from harness.gate.lanes import Compiled
from harness.gate.reference import Reference
from harness.gate.tolerance import Tolerances
from harness.measurement.tell import Tell
from harness.native.finding import find_variant
from harness.native.toolchain import default_toolchain, names_for
from harness.native.variant import Variant, built_in_variants, is_built_in
from harness.trial.apart import find_faults

TOLERANCE = 0.01
"""The share of more instructions that is let pass."""


@dataclasses.dataclass(frozen=True)
class Instructions:
    """Whether anything takes more instructions than in a reference."""

    reference: Reference
    scope: Scope

    def collect(self, tell: Tell) -> Verdict:
        """Count all that the reference may be compared with.

        Raises:
            BadInput: valgrind is not here, or a variant does not compile.
        """
        reference, scope = self.reference, self.scope
        usable = usable_counts(reference, scope.toolchains)
        undecided = Verdict((), undecided=usable.reasons, remarks=usable.remarks)
        if not usable.toolchains:
            compared = Compared(Basis.INSTRUCTIONS, reference.name)
            return dataclasses.replace(undecided, compared=(compared,))
        # Rust is compiled beside C; of what is counted, only what the reference has is compared.
        there = usable.toolchains
        names = names_for(there) or names_for((default_toolchain().name, *there))
        conditions = [condition.name for condition in scope.conditions]
        variants, gone = _variants(reference)
        counts = count_all(variants, names, conditions, tell)
        counted = counts.instructions
        after = {key: n for key, n in counted.items() if key.toolchain in usable.toolchains}
        traces = {key.trace for key in after}
        before = {
            key: count
            for key, count in reference.instructions.items()
            if key.toolchain in usable.toolchains and key.trace in traces
        }
        both = {key: count for key, count in before.items() if key in after}
        left_out = tuple(dict.fromkeys((*gone, *_on_one_side(before, after, counts.left_out))))
        found = _compare(both, after, scope.allowed(TOLERANCE), reference.name, left_out)
        return join([undecided, Verdict((), broken=counts.broken), found])


def _variants(reference: Reference) -> tuple[list[Variant], list[str]]:
    """Return what is to be counted, and a sentence for each variant that is not there any more.

    Where a reference has variants that come with dirtyscan, all that do are counted.
    """
    found: list[Variant] = []
    gone: list[str] = []
    built_in = False
    subjects = dict.fromkeys(
        (key.operation, key.variant, key.subject) for key in reference.instructions
    )
    for operation, name, called in subjects:
        if reference.source(name) == name and is_built_in(name):
            built_in = True
            if name not in built_in_variants(operation):
                gone.append(f"{called} is gone")
            continue
        try:
            variant = find_variant(reference.source(name), operation)
        except BadInput:
            gone.append(f"{called} is gone")
        else:
            found.append(dataclasses.replace(variant, name=name))
    return [*found, *(all_built_in() if built_in else ())], gone


def _on_one_side(
    before: Mapping[Counted, float], after: Mapping[Counted, float], why: Sequence[str]
) -> Iterator[str]:
    """Yield what is here alone, and of what could not be counted what was so before."""
    yield from (f"{key.subject} is new" for key in after if key not in before)
    held = tuple(key.subject for key in before)
    yield from (sentence for sentence in why if sentence.startswith(held))


def count_alone(changed: Changed, scope: Scope, tell: Tell) -> Verdict:
    """Count as :func:`count_changed` does, where nothing is timed, which would be a trial too.

    So both sides are tried before; and of what cannot be counted nothing is known.

    Raises:
        BadInput: valgrind is not here.
    """
    require_valgrind()
    sound: list[Compiled] = []
    broken: list[str] = []
    undecided: list[str] = []
    sides = [
        side
        for one in changed.compiled
        for side in ((one.pair.before, one.before), (one.pair.after, one.after))
    ]
    faults = find_faults(sides)
    for one, before, after in zip(changed.compiled, faults[::2], faults[1::2], strict=True):
        if after:
            broken.append(one.is_wrong(after))
        elif before:
            undecided.append(one.was_wrong(changed.since, before))
        else:
            sound.append(one)
    found = count_changed(dataclasses.replace(changed, compiled=tuple(sound)), scope, tell)
    undecided += [text for one in found.compared for text in one.left_out]
    compared = tuple(dataclasses.replace(one, left_out=()) for one in found.compared)
    return dataclasses.replace(
        found, broken=tuple(broken), undecided=tuple(undecided), compared=compared
    )


def count_changed(changed: Changed, scope: Scope, tell: Tell) -> Verdict:
    """Count both sides on the captured traces of the conditions and say what takes more.

    Raises:
        BadInput: valgrind is not here.
    """
    names = [condition.name for condition in scope.conditions]
    before, after, why = count_variants(changed.compiled, names, tell)
    return _compare(before, after, scope.allowed(TOLERANCE), changed.since, why)


def _compare(
    before: Mapping[Counted, float],
    after: Mapping[Counted, float],
    allowed: Tolerances,
    against: str,
    left_out: Sequence[str],
) -> Verdict:
    """Say which counts rose by more than is allowed; ``after`` has all that ``before`` has."""
    findings = []
    for key, old in before.items():
        tolerance = allowed.of(*dataclasses.astuple(key))
        new = after[key]
        ratio = old / new
        change = Change.UNCHANGED
        if new > old * (1 + tolerance):
            change = Change.SLOWER
        elif old > new * (1 + tolerance):
            change = Change.FASTER
        findings.append(
            Finding(
                Basis.INSTRUCTIONS, key.operation, key.variant, key.toolchain, key.trace,
                "instructions", old, new, ratio, ratio, ratio, change, against=against,
            )
        )  # fmt: skip
    compared = Compared(Basis.INSTRUCTIONS, against, left_out=tuple(left_out))
    return Verdict(tuple(findings), compared=(compared,))
