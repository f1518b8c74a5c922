"""What only moved, what got slower, and how soon that is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.doctor.harmless import HARMLESS, MOVED
from harness.gate.finding import Basis, Change, Finding
from harness.gate.lanes import compile_pairs
from harness.gate.placing import is_slower_in_some, of_equal_instructions, settle_placement
from harness.gate.revision import Pair
from harness.gate.tolerance import Tolerances
from harness.measurement.choice import choose
from harness.measurement.experiment import Look, measure
from harness.measurement.lineup import line_up
from harness.measurement.request import Request
from harness.measurement.run import Run
from harness.measurement.tell import quiet
from harness.native.finding import find_variant
from harness.native.toolchain import default_toolchain, find_toolchains
from tests.conftest import store
from tests.needs import needs

SUBJECT = ("count", "mine", "cc-era")


def slower(*placements: float) -> Finding:
    ratio = float(np.mean(placements))
    return Finding(
        Basis.REVISION, *SUBJECT, "cond1 captured", "ns", 100.0, 100 / ratio, ratio, ratio, ratio,
        Change.SLOWER, placements=placements,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("placements", "equal", "change"),
    [
        ((0.6, 1.0, 1.0, 1.0), True, Change.UNDECIDED),
        ((0.6, 1.0, 1.0, 1.0), None, Change.UNDECIDED),
        ((0.6, 1.0, 1.0, 1.0), False, Change.SLOWER),
        ((0.6, 0.9, 1.0, 1.0), True, Change.UNDECIDED),
        # What two harmless changes gave that move a function beside the library that it calls.
        ((1.038, 0.834, 1.092, 0.935), True, Change.UNDECIDED),
        ((1.130, 0.982, 0.767, 1.041), True, Change.UNDECIDED),
        ((1.038, 0.834, 1.092, 0.935), False, Change.SLOWER),
        # Three times the work, in code that is half as fast again in one place as in the others.
        ((1.024, 0.614, 0.411, 0.617), None, Change.SLOWER),
        ((1.024, 0.614, 0.411, 0.617), False, Change.SLOWER),
        ((0.95, 0.95, 0.95, 0.95), True, Change.SLOWER),
        ((), True, Change.SLOWER),
    ],
)
def test_slower_in_some_places_alone_is_no_more_work(
    placements: tuple[float, ...], equal: bool | None, change: Change
) -> None:
    finding = slower(*placements) if placements else dataclasses.replace(slower(0.9), placements=())
    settled = settle_placement(finding, Tolerances(0.01), equal)
    assert settled.change is change
    if change is Change.UNDECIDED:
        assert settled.reason.startswith(
            f"it depends on placement (by placement {placements[0]:.3f}, "
        )
        assert ("not counted" in settled.reason) == (equal is None)
    in_every = all(ratio < 0.99 for ratio in placements)
    assert is_slower_in_some(finding, Tolerances(0.01)) == (not in_every)


@needs("valgrind")
def test_instructions_tell_moved_code_from_more_work(tmp_path: Path) -> None:
    before = find_variant("word_test", "count")
    text = before.sources[0].read_text(encoding="utf-8")
    work = 'for (uint64_t i = 0; i < map->pages / 64; i++) __asm__ volatile(""); return dirty;'
    pairs = []
    for name, changed in (
        ("moved", HARMLESS["16 bytes before"](text)),
        ("more", text.replace("return dirty;", work)),
    ):
        assert changed != text
        path = tmp_path / f"{name}.c"
        path.write_text(changed, encoding="utf-8")
        pairs.append(Pair(before, find_variant(str(path), "count")))
    compiled, _ = compile_pairs(pairs, [default_toolchain()])
    equal = of_equal_instructions(compiled, quiet)
    assert equal == frozenset([("count", "moved", default_toolchain().name)])


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_changes_no_function(change: str, tmp_path: Path) -> None:
    """It would calibrate the gate with something else otherwise: all of it still compiles."""
    for name in MOVED:
        variant = find_variant(name, "count")
        folder = tmp_path / name
        folder.mkdir()
        for path in (*variant.sources, *variant.sources[0].parent.glob(f"{name}.*.h")):
            (folder / path.name).write_bytes(path.read_bytes())
        own = folder / f"{name}.c"
        text = own.read_text(encoding="utf-8")
        own.write_text(HARMLESS[change](text), encoding="utf-8")
        assert own.read_text(encoding="utf-8") != text
        (one,), left_out = compile_pairs(
            [Pair(variant, find_variant(str(own), "count"))], [default_toolchain()]
        )
        assert not left_out
        # What adds no instruction is not even timed.
        assert one.same_code == (change in ("a longer summary", "an unread string"))


@pytest.mark.parametrize(
    ("enough", "looked", "processes"), [((6,), [6], 6), ((7,), [6, 7], 7), ((), [6, 7], 8)]
)
def test_nothing_more_is_measured_after_a_look_that_is_enough(
    enough: tuple[int, ...], looked: list[int], processes: int, tmp_path: Path
) -> None:
    dirty = np.zeros((8, 4096), np.bool_)
    dirty[:, ::2] = True
    trace = store(tmp_path / "small.trace", list(dirty))
    seen: list[int] = []

    def look(run: Run) -> bool:
        seen.append(min(run.processes.values()))
        return seen[-1] in enough

    request = Request(
        line_up(choose(("word_sum",)), find_toolchains()), (trace.path,), 1e9, processes=8
    )
    run = measure(request, 600, looks=[Look(number, look) for number in (6, 7, 9)])
    assert seen == looked
    assert set(run.processes.values()) == {processes}
