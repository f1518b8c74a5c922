"""The line-up of a run: what was chosen, compiled with every toolchain."""

import dataclasses
import platform
from collections.abc import Sequence

from harness.base.errors import BadInput
from harness.measurement.choice import Choice
from harness.measurement.plan import Lane
from harness.native.built_variant import build_here
from harness.native.description import Description
from harness.native.library import Library
from harness.native.placement import CLASSES, DRAWN
from harness.native.toolchain import Toolchain

PEER_TOOLCHAIN = "python-"
"""What stands in the place of a toolchain for a Python package's function begins like this."""
PYTHON = f"{PEER_TOOLCHAIN}{platform.python_version()}"
"""What stands for the toolchain of a peer."""


@dataclasses.dataclass(frozen=True)
class LineUp:
    """The lanes of a run, and those that it has not."""

    operation: str
    toolchain: Toolchain
    """What the timed loop is compiled with."""
    lanes: tuple[Lane, ...]
    """With the paths of their libraries as they are, before they are kept with the run."""
    left_out: tuple[str, ...] = ()
    """A sentence for each variant that was not asked for by name and cannot run here."""
    unvaried: tuple[str, ...] = ()
    """A sentence for each variant whose placement cannot be varied."""
    parts: int = CLASSES
    """Placements that a process goes through: one of each class, or all that there are."""


def line_up(choice: Choice, toolchains: Sequence[Toolchain], noise_floor: bool = True) -> LineUp:
    """Compile what was chosen, each toolchain's with its original; peers go with the first's.

    What several toolchains would make alike (a library as it is given, or a variant in Rust beside
    two of C) takes part once, with the first of them.

    Args:
        noise_floor: whether each toolchain's original takes part a second time.

    Raises:
        BadInput: a variant does not compile; or one that was named cannot run here.
    """
    lanes: list[Lane] = []
    left_out: list[str] = []
    unvaried: list[str] = []

    def leave_out(name: str, obstacle: str) -> None:
        sentence = f"variant {name} {obstacle}"
        if name not in choice.optional:
            raise BadInput(f"{sentence}; leave it out.")
        left_out.append(sentence)

    original = choice.original
    made: dict[tuple[str, str], int] = {}
    for toolchain in toolchains:
        start = first = len(lanes)
        for variant in (original, *choice.variants, *([original] if noise_floor else [])):
            built = build_here(variant, toolchain, placed=DRAWN)
            if isinstance(built, str):
                leave_out(variant.name, built)
                continue
            key = variant.name, built.toolchain.name
            before = made.setdefault(key, len(lanes))
            if before < start:
                first = before if variant is original else first
                continue
            lane = make_lane(variant.name, built.toolchain, built.library, built.description, first)
            if why := built.library.unplaced:
                unvaried.append(f"the placement of variant {variant.name} is not varied: it {why}")
            again = variant is original and len(lanes) > first
            lanes.append(dataclasses.replace(lane, noise_floor=again))
    for peer in choice.peers:
        if obstacle := peer.obstacle():
            leave_out(peer.name, obstacle)
            continue
        lanes.append(Lane(peer.name, PYTHON, "", "", 0, map=peer.map, peer=True))
    left, fixed = (tuple(dict.fromkeys(said)) for said in (left_out, unvaried))
    return LineUp(original.operation, toolchains[0], tuple(lanes), left, fixed)


def check_used(lineup: LineUp, toolchains: Sequence[str]) -> None:
    """Make sure that each of ``toolchains``, which were named, has compiled something.

    Raises:
        BadInput: one has not, so that it would be measured nowhere.
    """
    used = {lane.toolchain for lane in lineup.lanes}
    for name in toolchains:
        if name not in used:
            language = "Rust" if name.startswith("rustc-") else "C"
            raise BadInput(
                f"toolchain {name} has nothing to compile, since nothing in this run is in "
                f"{language}; name a variant that is, or leave the toolchain out."
            )


def make_lane(
    name: str, toolchain: Toolchain, library: Library, description: Description, original: int
) -> Lane:
    """Return the lane of a compiled variant, to be compared with the lane ``original``."""
    return Lane(
        name,
        toolchain.name,
        str(library.path),
        library.build_hash,
        original,
        map=description.map,
        bound=description.bound,
        paid_in=description.paid_in,
        placed=tuple(str(path) for path in library.placed),
    )
