"""The lanes of a gate: each variant before and after, compiled with every toolchain."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from harness.gate.revision import Pair
from harness.measurement.lineup import LineUp, describe, keep_library, rust_obstacle
from harness.measurement.plan import Lane
from harness.native.build import Library, build_variant, machine_code
from harness.native.toolchain import Toolchain, rust_companion


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A pair, compiled with one toolchain."""

    pair: Pair
    toolchain: Toolchain
    before: Library
    after: Library
    map: str
    bound: bool

    @property
    def same_code(self) -> bool:
        """Whether both sides have compiled to the very same bytes, names of files left out."""
        if self.before.build_hash == self.after.build_hash:
            return True
        return machine_code(self.before) == machine_code(self.after)


def compile_pairs(
    pairs: Sequence[Pair], toolchains: Sequence[Toolchain]
) -> tuple[list[Compiled], list[str]]:
    """Compile both sides of every pair; return them, and why others cannot run here.

    Raises:
        BadInput: one does not compile.
    """
    compiled: list[Compiled] = []
    left_out: list[str] = []
    for pair in pairs:
        if pair.after.is_rust and (missing := rust_obstacle()):
            left_out.append(f"{pair.name} ({pair.after.operation}) {missing}")
            continue
        for toolchain in toolchains:
            before, after = (build_variant(side, toolchain) for side in (pair.before, pair.after))
            said = describe(pair.after, after, pair.after.operation)
            if obstacle := said.obstacle():
                left_out.append(f"{pair.name} ({pair.after.operation}) {obstacle}")
                break
            if said.paid_in:
                break
            used = rust_companion(toolchain) if pair.after.is_rust else toolchain
            compiled.append(Compiled(pair, used, before, after, said.map, said.bound))
    return compiled, left_out


def line_up_pairs(compiled: Sequence[Compiled], base: Path) -> LineUp:
    """Return two lanes for each pair, the second compared with the first."""
    lanes: list[Lane] = []
    for one in compiled:
        first = len(lanes)
        for side, library in ((one.pair.before, one.before), (one.pair.after, one.after)):
            after = side is one.pair.after
            lanes.append(
                Lane(
                    one.pair.name if after else f"{one.pair.name} before",
                    one.toolchain.name,
                    keep_library(library, base, f"lane-{len(lanes)}"),
                    library.build_hash,
                    first,
                    map=one.map,
                    bound=one.bound,
                )
            )
    return LineUp(tuple(lanes), ())
