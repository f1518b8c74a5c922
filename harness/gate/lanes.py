"""The lanes of a gate: each variant before and after, compiled with every toolchain."""

import dataclasses
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.gate.revision import Pair
from harness.measurement.lineup import LineUp, make_lane
from harness.measurement.plan import BEFORE, Lane
from harness.native.build import build_variant, compiling_toolchain
from harness.native.built_variant import describe, rust_obstacle
from harness.native.description import Description
from harness.native.library import Library
from harness.native.placement import CLASSES, CROSSED
from harness.native.toolchain import Toolchain, default_toolchain
from harness.native.variant import Variant


class OlderBroken(BadInput):
    """The older side of a pair does not compile, and the newer one does."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A pair, compiled with one toolchain."""

    pair: Pair
    toolchain: Toolchain
    """What has compiled the newer side."""
    asked: Toolchain
    """The one of C that was asked for, beside which that was chosen."""
    before: Library
    after: Library
    description: Description
    """What the newer side says of itself."""
    obstacle: str
    """Why it cannot be timed here, with its name; empty if it can."""

    @property
    def subject(self) -> tuple[str, str, str]:
        """The operation, variant and toolchain that its findings are about."""
        return self.pair.after.operation, self.pair.name, self.toolchain.name

    @property
    def same_code(self) -> bool:
        """Whether both sides were compiled to the same functions, wherever these lie."""
        return self.after.has_code_of(self.before)

    def is_wrong(self, what: str) -> str:
        """Say that the newer side did ``what``."""
        return f"variant {self.pair.name} ({self.toolchain.name}) {what}"

    def was_wrong(self, since: str, what: str) -> str:
        """Say that the older side, which is of ``since``, did ``what``."""
        operation, name, toolchain = self.subject
        return f"{name} ({operation}, {toolchain}) was wrong at {since}: it {what}"


def compile_pairs(
    pairs: Sequence[Pair], toolchains: Sequence[Toolchain]
) -> tuple[list[Compiled], list[str]]:
    """Compile both sides of every pair; return them, and why others cannot be compiled here.

    Raises:
        OlderBroken: one did not compile before.
        BadInput: one does not compile.
    """
    compiled: list[Compiled] = []
    left_out: list[str] = []
    for pair in pairs:
        name = f"{pair.name} ({pair.after.operation})"
        if pair.after.is_rust and (missing := rust_obstacle()):
            left_out.append(f"{name} {missing}")
            continue
        made: set[str] = set()
        for toolchain in toolchains:
            used = compiling_toolchain(pair.after, toolchain)
            if used.name in made:  # which two of C have beside them
                continue
            made.add(used.name)
            after = build_variant(pair.after, toolchain)
            try:
                before = build_variant(pair.before, toolchain)
            except BadInput as error:
                raise OlderBroken(str(error)) from None
            said = describe(pair.after, after)
            obstacle = said.obstacle()
            if not said.for_this_architecture:
                left_out.append(f"{name} {obstacle}")
                break
            if said.paid_in:
                obstacle = f"has its cost in {said.paid_in}"
            why = f"{name} {obstacle}" if obstacle else ""
            compiled.append(Compiled(pair, used, toolchain, before, after, said, why))
    return compiled, left_out


def compile_here(
    variants: Sequence[Variant], toolchains: Sequence[Toolchain]
) -> tuple[list[Compiled], list[str]]:
    """Compile variants, each as its own older side; return those that can run here, and why not.

    Raises:
        BadInput: one does not compile.
    """
    compiled, left_out = compile_pairs([Pair(one, one) for one in variants], toolchains)
    left_out += [one.obstacle for one in compiled if one.obstacle]
    return [one for one in compiled if not one.obstacle], list(dict.fromkeys(left_out))


def line_up_pairs(compiled: Sequence[Compiled]) -> LineUp:
    """Return two lanes for each pair of one operation, the second compared with the first.

    Raises:
        BadInput: a file has changed since it was compiled.
    """
    lanes: list[Lane] = []
    for one in compiled:
        first, name = len(lanes), one.pair.name
        for called, variant, library in (
            (name + BEFORE, one.pair.before, one.before),
            (name, one.pair.after, one.after),
        ):
            placed = build_variant(variant, one.asked, placed=CROSSED)
            if placed.build_hash != library.build_hash:
                raise BadInput(f"{variant.sources[0]} has changed meanwhile; ask again.")
            said = describe(variant, library)  # they may be of two kinds of map
            lanes.append(make_lane(called, one.toolchain, placed, said, first))
    operation = compiled[0].pair.after.operation
    return LineUp(operation, default_toolchain(), tuple(lanes), parts=CLASSES**2)
