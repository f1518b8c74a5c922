"""Placement: code is linked at every class of offset, and what it does to speedups is told."""

import ctypes
import dataclasses
import itertools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from harness.measurement.plan import MIN_PROCESSES, Lane, Plan, PlannedTrace
from harness.native.build import build_variant
from harness.native.built_variant import describe, rust_obstacle
from harness.native.code import code_hash
from harness.native.contract import MapStruct
from harness.native.elf import function_address
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS
from harness.native.placement import (
    CLASSES,
    CROSSED,
    DRAWN,
    DRAWS,
    LINE,
    STEP,
    Placements,
    cross_placements,
    draw_placements,
)
from harness.native.toolchain import Toolchain, default_toolchain
from harness.native.variant import VARIANTS, built_in_variants
from harness.statistics.interval import confidence_interval, process_log_speedup
from harness.statistics.placement import (
    Part,
    depends_on_placement,
    parts_of,
    placement_factors,
)

SOURCE = """
#include "dirtyscan.h"
{before}
static const uint8_t table[4] = {{ {table} }};
static uint64_t count(const struct dirtyscan_map *map)
{{
    uint64_t page, dirty = 0;
    for (page = 0; page < map->pages; page++)
        if (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG)
            dirty += table[page % 4];
    return dirty;
}}
static uint64_t other(const struct dirtyscan_map *map) {{ return map->pages; }}
const struct dirtyscan_variant dirtyscan_variant = {{
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "{summary}", .requires = {requires}, .bound = {bound}, .run.count = {run},
}};
uint64_t keep(const struct dirtyscan_map *map) {{ return count(map) + other(map); }}
"""
AS_IT_IS = {
    "before": "",
    "table": "1, 1, 1, 1",
    "summary": "one",
    "requires": "0",
    "bound": "0",
    "run": "count",
}


def write(folder: Path, **changes: str) -> Path:
    path = folder / "mine.c"
    path.write_text(SOURCE.format(**(AS_IT_IS | changes)), encoding="utf-8")
    return path


def compile_object(source: Path, *options: str) -> Path:
    made = source.with_suffix(".o")
    command = ["cc", "-O2", "-fPIC", f"-I{VARIANTS}", "-c", *options, str(source), "-o", str(made)]
    subprocess.run(command, check=True)
    return made


def addresses(paths: Sequence[Path]) -> list[int]:
    found = [function_address(path) for path in paths]
    return [address for address in found if address is not None]


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("count", "word_test"),
        ("count", "multi_page"),
        pytest.param(
            "ranges",
            "loop_bits",
            marks=pytest.mark.skipif(bool(rust_obstacle()), reason="needs rustc"),
        ),
    ],
)
def test_every_class_of_every_draw_is_linked(operation: str, name: str) -> None:
    """The same function, each time a further step behind a line, and at other lines of a page."""
    variant = find_variant(name, operation)
    if variant.is_rust and rust_obstacle():
        pytest.skip(rust_obstacle())
    library = build_variant(variant, default_toolchain(), placed=DRAWN)
    assert library.unplaced == ""
    found = addresses(library.placed)
    assert len(found) == CLASSES * DRAWS
    for draw in range(DRAWS):
        offsets = [address % LINE for address in found[draw * CLASSES : (draw + 1) * CLASSES]]
        steps = {(offset - offsets[0]) % LINE for offset in offsets}
        assert steps == {STEP * class_ for class_ in range(CLASSES)}
        assert offsets == [address % LINE for address in found[:CLASSES]]
    assert len({address % 4096 // LINE for address in found}) > CLASSES
    own = load_variant(library.placed[-1])
    assert own.address % 4096 == found[-1] % 4096
    assert own.description == load_variant(library.path).description


@pytest.mark.parametrize("units", range(1, 8))
def test_any_two_units_meet_in_every_combination_of_classes_once(units: int) -> None:
    """And the library behind them; beyond five there are no more such columns, and some share."""
    placements = cross_placements(units)
    assert len(placements) == CLASSES**2
    classes = [[shift % LINE for shift in placement] for placement in placements]
    for one, other in itertools.combinations(range(units + 1), 2):
        met = {(of[one], of[other]) for of in classes}
        assert len(met) == (CLASSES**2 if other - one != 5 else CLASSES)
    assert [of[0] // STEP for of in classes] == [number % CLASSES for number in range(16)]
    # Each has a line of its own, any that leaves half a page to the code.
    lines = {shift // LINE for placement in placements for shift in placement}
    room = set(range(1, 32 // (units + 1)))
    assert lines == room if units > 1 else lines <= room and len(lines) > 8
    assert all(sum(-(-shift // LINE) for shift in placement) <= 32 for placement in placements)


def test_what_is_linked_behind_the_units_is_moved_too(tmp_path: Path) -> None:
    """Such as what the compiler's library counts bits with; nothing else is behind them here."""
    source = write(tmp_path)
    (tmp_path / "mine.other.c").write_text("int other_unit(void) { return 7; }\n")
    variant = find_variant(str(source), "count")
    library = build_variant(variant, default_toolchain(), placed=CROSSED)
    assert library.unplaced == ""
    wanted = cross_placements(2)
    ends = []
    for path, placement in zip(library.placed, wanted, strict=True):
        with path.open("rb") as file:
            section = ELFFile(file).get_section_by_name(".text")
            assert section
            # The spacer behind begins at a line and is as long as it says.
            ends.append((section["sh_addr"] + section["sh_size"] - placement[-1]) % LINE)
    assert set(ends) == {0}


@pytest.mark.parametrize("placements", [DRAWN, CROSSED], ids=lambda placements: placements.name)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_code_reaches_into_a_page_that_it_does_not_need(
    operation: str, placements: Placements
) -> None:
    """Of a variant that did at two of sixteen places a first call took half a microsecond more."""
    for variant in built_in_variants(operation).values():
        if variant.is_rust:  # linked with a library of its own, which needs more
            continue
        library = build_variant(variant, default_toolchain(), placed=placements)
        if not describe(variant, library).for_this_architecture:
            continue  # there is no code in it
        assert library.unplaced == ""
        for path, function in zip(library.placed, addresses(library.placed), strict=True):
            with path.open("rb") as file:
                section = ELFFile(file).get_section_by_name(".text")
                assert section
                last = section["sh_addr"] + section["sh_size"] - 1
            assert function // 4096 == last // 4096, variant.name


def test_units_are_moved_by_themselves() -> None:
    """What is put into the first must not move the second."""
    placements = draw_placements(3)
    assert len(set(placements)) == CLASSES * DRAWS
    for number, placement in enumerate(placements):
        assert {shift % LINE for shift in placement} == {STEP * (number % CLASSES)}
    assert any(len(set(placement)) == 3 for placement in placements)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"summary": "a much longer summary than before, of the same code"}, True),
        ({"before": 'const char *const unused = "a string that nobody reads";'}, True),
        ({"before": "uint64_t uncalled(uint64_t a) { return a * 3; }"}, False),
        ({"table": "1, 1, 1, 2"}, False),
        ({"run": "other"}, False),
        ({"requires": '"avx2"'}, False),
        ({"bound": "1"}, False),
    ],
)
def test_code_is_the_same_wherever_it_lies(
    tmp_path: Path, changes: dict[str, str], same: bool
) -> None:
    """Linked files differ by a description, and a gate would time what cannot have changed."""
    before = build_variant(find_variant(str(write(tmp_path)), "count"), default_toolchain())
    source = write(tmp_path, **changes)
    after = build_variant(find_variant(str(source), "count"), default_toolchain())
    assert before.code
    assert after.has_code_of(before) == same


UNIT = """
#include <stdint.h>
uint64_t helper(uint64_t pages) {{ return pages * {factor}; }}
uint64_t unasked(uint64_t pages) {{ return pages * {unasked}; }}
"""
CALLED = {
    "before": "uint64_t helper(uint64_t); static uint64_t run(const struct dirtyscan_map *map) "
    "{ return helper(map->pages); }",
    "run": "run",
}


@pytest.mark.parametrize(
    ("changes", "unit", "same"),
    [
        ({}, {}, True),
        ({"before": CALLED["before"] + " uint64_t own(uint64_t a) { return a * 3; }"}, {}, True),
        ({}, {"unasked": 5}, True),
        ({}, {"factor": 5}, False),
        ({"run": "count"}, {}, False),
    ],
)
def test_functions_that_are_not_called_are_no_part_of_a_variant(
    tmp_path: Path, changes: dict[str, str], unit: dict[str, int], same: bool
) -> None:
    """Where each lies in a section of its own, as in Rust; those that are called count anywhere."""

    def compiled(name: str, changed: dict[str, str], factors: dict[str, int]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "unit.c").write_text(UNIT.format(**({"factor": 3, "unasked": 3} | factors)))
        sources = write(folder, **(CALLED | changed)), folder / "unit.c"
        return code_hash([compile_object(source, "-ffunction-sections") for source in sources])

    before = compiled("before", {}, {})
    assert before
    assert (compiled("after", changes, unit) == before) == same


def test_code_that_is_yet_to_be_made_is_not_told_apart_by_its_object(tmp_path: Path) -> None:
    """An object of link-time optimization has none: two different ones would be taken for one."""
    made = compile_object(write(tmp_path), "-flto", "-fno-fat-lto-objects")
    if b".gnu.lto" not in made.read_bytes():
        pytest.skip("this compiler's objects hold code however they are optimized")
    assert code_hash([made]) == ""


@pytest.mark.parametrize("archive", [False, True])
def test_an_object_of_ones_own_is_moved(tmp_path: Path, archive: bool) -> None:
    given = compile_object(write(tmp_path))
    if archive:
        if not shutil.which("ar"):
            pytest.skip("ar is not here")
        given = tmp_path / "mine.a"
        subprocess.run(["ar", "rc", str(given), str(tmp_path / "mine.o")], check=True)
    variant = find_variant(str(given), "count")
    assert variant.name == given.name
    library = build_variant(variant, default_toolchain(), placed=DRAWN)
    assert len({address % LINE for address in addresses(library.placed)}) == CLASSES


def test_a_library_of_ones_own_is_not(tmp_path: Path) -> None:
    made = compile_object(write(tmp_path))
    library = tmp_path / "mine.so"
    subprocess.run(["cc", "-shared", str(made), "-o", str(library)], check=True)
    built = build_variant(find_variant(str(library), "count"), default_toolchain(), placed=DRAWN)
    assert built.placed == ()
    assert built.unplaced


def test_a_linker_that_moves_nothing_is_found_out(tmp_path: Path) -> None:
    """One that leaves out what comes before the code gives sixteen copies of one placement."""
    real = default_toolchain()
    script = tmp_path / "cc"
    script.write_text(
        '#!/bin/sh\nfor one do shift; case $one in *.s|*spacer*) ;; *) set -- "$@" "$one" ;; '
        f'esac; done\nexec {real.command[0]} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    toolchain = Toolchain("cc-era", (str(script),), real.flags, real.version)
    variant = find_variant(str(write(tmp_path)), "count")
    library = build_variant(variant, toolchain, placed=DRAWN)
    assert library.placed == ()
    assert "is not moved by the linker" in library.unplaced
    assert load_variant(library.path).address


def test_alignment_of_its_own_keeps_code_where_it_is(tmp_path: Path) -> None:
    """Code that asks for whole lines has one class, whatever comes before it."""
    source = write(tmp_path, before='#pragma GCC optimize("align-functions=64")')
    library = build_variant(find_variant(str(source), "count"), default_toolchain(), placed=DRAWN)
    found = {address % LINE for address in addresses(library.placed)}
    assert library.unplaced == ""
    assert len(found) in (1, CLASSES)  # clang does not know the pragma


def plan_of(lanes: Sequence[Lane]) -> Plan:
    return Plan("1", "here", "count", "s", "t", tuple(lanes), (), (), (), 3, 0.005, 7)


def lane(original: int, noise_floor: bool = False) -> Lane:
    placed = tuple(str(place) for place in range(CLASSES * DRAWS))
    return Lane("one", "cc", "l", "h", original, placed=placed, noise_floor=noise_floor)


def test_both_sides_of_a_variant_are_called_as_often_between_two_readings_of_the_clock() -> None:
    """Reading it would be shared by more calls of the one, where they lie at a power of two."""
    names = "original", "mine before", "mine", "other"
    lanes = [dataclasses.replace(lane(1), variant=name) for name in names]
    lanes[0] = dataclasses.replace(lanes[0], original=0)
    floor = dataclasses.replace(lanes[0], noise_floor=True)
    trace = PlannedTrace("trace", "path", "hash", 4096, (0,))
    plan = dataclasses.replace(plan_of([*lanes, floor]), traces=(trace,))
    found = dict(zip([*lanes, floor], (1, 8, 16, 4, 2), strict=True))
    calibrated = {plan.benchmark_name(trace, one): calls for one, calls in found.items()}
    assert [plan.calls(calibrated, trace, one) for one in plan.lanes] == [2, 16, 16, 4, 2]
    # One that has failed was not calibrated.
    del calibrated[plan.benchmark_name(trace, lanes[2])]
    assert plan.calls(calibrated, trace, lanes[1]) == 8


def test_a_call_that_takes_long_enough_is_timed_by_itself_whatever_other_maps_need() -> None:
    """A search for few dirty pages was called twice, or not, by whether that for none took a little
    less than the clock asks for: it was 184 or 250 times as fast as the original, from run to run.
    """
    plain = PlannedTrace("clean", "path", "hash", 4096, (0,))
    keys = "clean", "few", "half", "larger"
    traces = [dataclasses.replace(plain, key=key) for key in keys]
    traces[-1] = dataclasses.replace(traces[-1], pages=2**20)
    mine = dataclasses.replace(lane(0), variant="mine")
    plan = dataclasses.replace(plan_of([lane(0), mine]), traces=tuple(traces))
    found = {plan.benchmark_name(one, lane(0)): 1 for one in traces}
    for needed, calls in (([2, 1, 1, 1], [2, 1, 1, 1]), ([8, 2, 1, 16], [8, 8, 1, 16])):
        of_mine = zip(traces, needed, strict=True)
        calibrated = found | {plan.benchmark_name(one, mine): count for one, count in of_mine}
        assert [plan.calls(calibrated, one, mine) for one in traces] == calls
        assert {plan.calls(calibrated, one, plan.lanes[0]) for one in traces} == {1}


def test_every_pair_of_classes_meets_once() -> None:
    plan = plan_of([lane(0), lane(0), lane(0, noise_floor=True)])
    for number in (1, 2):
        met = set()
        for process in range(1, CLASSES + 1):
            before, after = plan.places(0, process), plan.places(number, process)
            assert sorted(place % CLASSES for place in after) == list(range(CLASSES))
            met |= {(a % CLASSES, b % CLASSES) for a, b in zip(before, after, strict=True)}
        assert len(met) == CLASSES**2


def test_every_process_has_every_draw_and_four_have_every_place() -> None:
    """What a draw does would be large and take few values otherwise, as what a class does."""
    plan = plan_of([lane(0), lane(0)])
    for number in (0, 1):
        found = [plan.places(number, process) for process in range(1, CLASSES + 1)]
        for places in found:
            assert sorted(place // CLASSES for place in places) == list(range(DRAWS))
        assert sorted(place for places in found for place in places) == list(range(CLASSES * DRAWS))


def test_a_noise_floor_lies_elsewhere() -> None:
    """At the places of its original it could see nothing of what placement does."""
    plan = plan_of([lane(0), lane(0), lane(0, noise_floor=True)])
    for process in range(1, 20):
        assert not set(plan.places(0, process)) & set(plan.places(2, process))


def test_what_cannot_be_moved_stays() -> None:
    plan = plan_of([Lane("one", "cc", "l", "h", 0)])
    assert plan.places(0, 3) == (0,) * CLASSES
    assert dataclasses.replace(plan, parts=16).places(0, 3) == (0,) * 16


def test_a_process_may_go_through_all_places() -> None:
    """In which every class of the one meets every class of the other from process to process."""
    plan = dataclasses.replace(plan_of([lane(0), lane(0)]), parts=CLASSES * DRAWS)
    met = set()
    for process in range(1, CLASSES * DRAWS + 1):
        before, after = plan.places(0, process), plan.places(1, process)
        assert sorted(before) == sorted(after) == list(range(CLASSES * DRAWS))
        met |= set(zip(before, after, strict=True))
    assert len(met) == (CLASSES * DRAWS) ** 2


def simulate(
    random: np.random.Generator, classes: Sequence[int], effect: Sequence[float], truth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Three rounds of a process, in which the variant's time depends on its class."""
    shape = (3, CLASSES, 8)
    drift = np.exp(np.cumsum(random.normal(0, 0.02, (3, CLASSES, 1)), axis=0))
    times = np.array([effect[class_] for class_ in classes])[:, np.newaxis]
    original = 50e-6 * drift * np.exp(random.normal(0, 0.005, shape))
    variant = 50e-6 / truth * times * drift * np.exp(random.normal(0, 0.005, shape))
    return original, variant


@pytest.mark.parametrize("effect", [(1.8, 1, 1, 1), (1, 1.05, 1, 1.05), (1, 1, 1, 1)])
def test_the_interval_covers_the_mean_over_placements(effect: Sequence[float]) -> None:
    """Of placements that are drawn one a process it covered 62 in 100 where one of four is slow."""
    random = np.random.default_rng(3)
    truth = np.log(4.0) - np.log(np.mean(effect))
    covered, runs = 0, 300
    for _ in range(runs):
        logs = []
        for process in range(MIN_PROCESSES):
            classes = [(part + process) % CLASSES for part in range(CLASSES)]
            luck = random.normal(0, 0.004)
            logs.append(process_log_speedup(*simulate(random, classes, effect, 4.0)) + luck)
        found = confidence_interval(logs)
        covered += np.log(found.low) <= truth <= np.log(found.high)
        assert found.half_width < 0.02
    assert 0.92 <= covered / runs <= 0.98


def test_what_a_class_does_is_told_from_what_the_machine_does() -> None:
    random = np.random.default_rng(5)
    effect = (1.8, 1.0, 1.1, 1.0)
    parts: list[Part] = []
    for process in range(12):
        before = list(range(CLASSES))
        after = [(part + process) % CLASSES for part in range(CLASSES)]
        pairs = list(zip(before, after, strict=True))
        parts += parts_of(*simulate(random, after, effect, 4.0), pairs)
    factors = placement_factors(parts, CLASSES)
    expected = np.mean(effect) / np.array(effect)
    by_class = factors.mean(axis=0)
    assert by_class / by_class[1] == pytest.approx(expected / expected[1], rel=0.02)
    assert factors.std(axis=0).max() < 0.02  # the original's class does nothing


@given(st.floats(0.5, 2), st.floats(1, 2), st.floats(0, 0.01))
def test_a_dependence_is_one_that_the_interval_does_not_show(
    value: float, spread: float, reach: float
) -> None:
    interval = value * (1 - reach), value * (1 + reach)
    low, high = value / spread, value * spread
    found = depends_on_placement(low, high, interval)
    assert found == (spread**2 > 1.02 and (low < interval[0] or high > interval[1]))


def test_a_placed_function_computes_the_same() -> None:
    library = build_variant(find_variant("word_sum", "count"), default_toolchain(), placed=DRAWN)
    held = [load_variant(path) for path in library.placed]
    map_ = np.zeros(4096, np.uint8)
    map_[::3] = 0xFF
    view = MapStruct(bytes=map_.ctypes.data, pages=4096, page_size=4096)
    count = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)
    results = {count(one.address)(ctypes.addressof(view)) for one in held}
    assert results == {len(map_[::3])}
