"""Types with storage of their own: filled before a call and read back after it, both untimed."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from harness.counting.callgrind import Program, count_instructions
from harness.native.build import build_driver, build_stopwatch, build_variant
from harness.native.dirty_map import ARRAYS
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS
from harness.native.stopwatch import Snapshots, Stopwatch, make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import Variant
from harness.trial.trial import Finding
from tests.conftest import Run, store
from tests.test_operations import Bits, find_fault, maps, two_maps
from workloads.guest import GuestMemory

TYPE = Path(__file__).parent / "stored.h"
# What a drain keeps until it is read back, and what it puts in place while others mark.
CALLS = {
    "count": "DIRTYSCAN_COUNT(mine, stored_count(map->state), OF_STORED)",
    "ranges": "DIRTYSCAN_RANGES(mine, stored_ranges(map->state), OF_STORED)",
    "drain": "DIRTYSCAN_DRAIN(mine, stored_take(map->state), OF_STORED)",
    "drain beside": "DIRTYSCAN_DRAIN(mine, stored_drain(map, taken), OF_STORED, "
    ".beside.mark = stored_mark)",
    "mark": "DIRTYSCAN_MARK(mine, stored_mark(map, first, pages), OF_STORED)",
    "mark beside": "static void drain_stored(struct dirtyscan_map *map, uint64_t *taken) "
    "{ stored_drain(map, taken); }\n"
    "DIRTYSCAN_MARK(mine, stored_mark(map, first, pages), OF_STORED, .beside.drain = drain_stored)",
    "merge": "DIRTYSCAN_MERGE(mine, stored_merge(map->state), OF_STORED)",
    "next": "DIRTYSCAN_NEXT(mine, stored_next(map->state, from), OF_STORED)",
}


def write(path: Path, name: str, before: str = "", call: str = "") -> Variant:
    """Write the variant ``name`` of the type."""
    path.write_text(f'{before}\n#include "{TYPE}"\n{call or CALLS[name]}\n', encoding="utf-8")
    return find_variant(str(path), name.split()[0])


def fault(path: Path, name: str, before: str = "", call: str = "") -> Finding | None:
    return find_fault(write(path, name, before, call), two_maps())


@pytest.mark.parametrize("name", CALLS)
@given(content=maps)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_type_of_its_own_does_what_numpy_does(name: str, tmp_path: Path, content: Bits) -> None:
    variant = write(tmp_path / "mine.c", name)
    pages = max(64, len(content))
    first = np.resize(content, pages)
    others = [np.random.default_rng(pages).random(pages) < 0.5, np.ones(pages, np.bool_)]
    assert find_fault(variant, [first, *others, np.zeros(pages, np.bool_)]) is None


ASTRAY = {
    "a count that changes": ("count", "#define WHEN_READ stored->dirty[10] = 0;\n",
                             "leaves page 10 as clean where it is not"),
    "a count of something else": ("count", "#define WHEN_FILLED stored->dirty[99] = 1;\n",
                                  "counts 21 dirty pages where there are 20"),
    "a map written too early": ("count", "#define WHEN_FILLED *map->words = 0;\n",
                                "changes the map (byte 0 of its words)"),
    "a list": ("ranges", "#define WHEN_READ stored->ranges[0].pages++;\n",
               "lists range 0 as [10, 21] (first page, pages) where [10, 20] is right"),
    "a drain that leaves": ("drain", "#define WHEN_READ stored->dirty[12] = 1;\n",
                            "leaves page 12 as dirty where it is not"),
    "a drain that takes": ("drain", "#define WHEN_READ stored->taken[10]--, stored->taken[9]++;\n",
                           "takes page 9 as dirty where it is not"),
    "a mark": ("mark", "#define WHEN_READ stored->dirty[29] = 0;\n",
               "counts 19 dirty pages where there are 20"),
    "a merge": ("merge", "#define WHEN_READ stored->dirty[40] = 0;\n",
                "leaves page 40 as clean where it is not"),
    "a search": ("next", "#define WHEN_FILLED stored->dirty[999] = stored->dirty[10];\n",
                 "counts 21 dirty pages where there are 20"),
    "a crash": ("count", "#define WHEN_READ abort();\n", "crashes (SIGABRT)"),
}  # fmt: skip


@pytest.mark.parametrize("what", ASTRAY)
def test_what_is_wrong_in_a_state_is_named(what: str, tmp_path: Path) -> None:
    name, before, sentence = ASTRAY[what]
    found = fault(tmp_path / "mine.c", name, before)
    assert found is not None
    assert sentence in found.what


def test_a_state_is_not_used_up_by_a_call_that_changes_no_map(tmp_path: Path) -> None:
    call = "DIRTYSCAN_COUNT(mine, 20 + ((struct stored *)map->state)->taken[0]++, OF_STORED)"
    found = fault(tmp_path / "mine.c", "count", call=call)
    assert found is not None
    assert found.what == "gives something else when it is called again on one state"


# So long that the writers do not come one after the other on a busy machine.
SLOW = "for (volatile int wait = 0; wait < 300; wait++) { }"
LOST = {
    "drain beside": f"""
        static void take(const struct dirtyscan_map *map, uint64_t *taken)
        {{
            struct stored *stored = map->state;

            for (uint64_t page = 0; page < stored->pages; page++) {{
                stored->taken[page] = stored->dirty[page];
                {SLOW}
                stored->dirty[page] = 0;
            }}
            stored_set(taken, stored->taken, stored->pages);
        }}
        DIRTYSCAN_DRAIN(mine, take(map, taken), OF_STORED, .beside.mark = stored_mark)""",
    # Several pages changed as a whole.
    "mark": f"""
        static void mark(const struct dirtyscan_map *map, uint64_t first, uint64_t pages)
        {{
            struct stored *stored = map->state;

            for (; pages--; first++) {{
                const uint64_t start = first / 512 * 512, left = stored->pages - start;
                const uint64_t count = left < 512 ? left : 512;
                uint8_t before[512];

                memcpy(before, stored->dirty + start, count);
                {SLOW}
                before[first - start] = 1;
                memcpy(stored->dirty + start, before, count);
            }}
        }}
        DIRTYSCAN_MARK(mine, mark(map, first, pages), OF_STORED)""",
}


@pytest.mark.parametrize("name", LOST)
def test_a_state_that_loses_writes_is_found(name: str, tmp_path: Path) -> None:
    found = fault(tmp_path / "mine.c", name, call=LOST[name])
    assert found is not None
    assert "loses concurrent writes (first lost page " in found.what


def timed(
    variants: Sequence[Variant], pages: int, visits: int = 1
) -> tuple[np.ndarray, np.ndarray, Snapshots]:
    """Time variants in turns and return times, results, and what they were called on."""
    toolchain, operation = default_toolchain(), variants[0].operation
    loaded = [load_variant(build_variant(variant, toolchain).path) for variant in variants]
    random = np.random.default_rng(6)
    bitmaps = [np.packbits(random.random(pages) < 0.3, bitorder="little") for _ in range(3)]
    snapshots = make_snapshots(bitmaps, range(3), OPERATIONS[operation])
    library = build_stopwatch(toolchain).path
    stopwatch = Stopwatch(library, GuestMemory(pages * 4096), ARRAYS, OPERATIONS[operation])
    found = []
    for _ in range(visits):
        order = random.random((3, len(variants))).argsort(axis=1).astype(np.uint16)
        calls = [1] * len(variants)
        found.append(stopwatch.time_pass(snapshots, loaded, calls, random.permutation(3), order))
    elapsed, results = (np.array(values) for values in zip(*found, strict=True))
    return elapsed, results, snapshots


@pytest.fixture
def three_counts(tmp_path: Path) -> list[Variant]:
    """The same count: as it is, with a filling and with a reading a hundred times as long."""
    return [
        write(tmp_path / f"{when}.c", "count", f"#define {when} stored_busy(stored);\n")
        for when in ("NEVER", "WHEN_FILLED", "WHEN_READ")
    ]


def test_filling_and_reading_back_are_not_timed(three_counts: list[Variant]) -> None:
    """A ratio within one run, which would be a hundred."""
    elapsed, results, snapshots = timed(three_counts, pages=50_000, visits=9)
    assert (results == snapshots.right).all()
    plain, filling, reading = np.median(elapsed.sum(axis=2), axis=0)
    assert 0.1 < filling / plain < 10
    assert 0.1 < reading / plain < 10


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not here")
def test_nor_are_their_instructions_counted(three_counts: list[Variant]) -> None:
    bitmap = np.packbits(np.arange(5000) % 3 == 0, bitorder="little")
    snapshots, memory = make_snapshots([bitmap], [0]), GuestMemory(5000 * 4096)
    driver = build_driver(default_toolchain()).path
    counted = []
    for variant in three_counts:
        built = build_variant(variant, default_toolchain())
        found = count_instructions(Program(driver, built.path), memory, snapshots, branches=False)
        assert not isinstance(found, str)
        counted.append(found[0].instructions)
    assert 5000 < counted[0] < 100_000
    assert counted[1:] == counted[:1] * 2


def test_a_wrong_state_spoils_no_other_variant(tmp_path: Path) -> None:
    """What it writes to a map that is not to be changed is undone before the next is called."""
    before = "#define WHEN_READ memset(stored->dirty, 1, stored->pages);\n"
    wrong, right = (
        write(tmp_path / "wrong.c", "count", before),
        find_variant("bitmap_popcount", "count"),
    )
    _, results, snapshots = timed([wrong, right], pages=1000, visits=9)
    assert (results == snapshots.right).all()


def test_what_goes_wrong_in_a_state_later_is_seen_when_timed(tmp_path: Path) -> None:
    late = "#define WHEN_READ static int calls; stored->dirty[7] = calls++ >= 4;\n"
    variant = write(tmp_path / "mine.c", "drain", late)
    _, results, snapshots = timed([variant], pages=1000, visits=3)
    wrong = results != snapshots.right
    assert wrong.sum() == 5
    assert (results[wrong] == np.iinfo(np.uint64).max).all()


def test_what_fills_and_reads_back_is_a_part_of_the_code(tmp_path: Path) -> None:
    """Two variants with the same functions are not the same if they use others of them."""
    other = (
        "void *fill_also(const struct dirtyscan_map *map, const uint64_t *log)\n"
        "{ return (char *)fill(map, log) + 0 * map->pages; }\n"
    )
    libraries = []
    for name in ("fill", "fill_also"):
        call = other + CALLS["count"].replace(
            "OF_STORED", f".prepare = {name}, .finish = read_back"
        )
        variant = write(tmp_path / f"{name}.c", "count", call=call)
        libraries.append(build_variant(variant, default_toolchain()))
    assert libraries[0].code
    assert not libraries[0].has_code_of(libraries[1])


@pytest.mark.usefixtures("short_runs")
def test_a_run_measures_such_a_type_beside_the_others(dirtyscan: Run, tmp_path: Path) -> None:
    write(tmp_path / "mine.c", "count")
    store(tmp_path / "small.trace", two_maps())
    done = dirtyscan("bench", "--trace", "small.trace", "--variant", "mine.c", "--variant",
                     "bitmap_popcount", "--precision", "50%")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "results/latest/speedups.csv")
    assert {"mine", "bitmap_popcount"} <= set(rows["variant"])
