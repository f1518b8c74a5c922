"""The contract: its versions, its forms, its macros, and where its files lie."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.counting.callgrind import Program, count_instructions
from harness.native.build import build_driver, build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.contract import PLAIN, VariantStruct
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import VARIANTS, Variant
from harness.native.work import Work
from tests.conftest import Run, store
from tests.test_operations import find_fault, two_maps
from tests.test_stored import timed
from workloads.guest import GuestMemory

VERSION_2 = Path(__file__).parent / "contract_2"
"""The contract as it was in version 2, for variants that somebody has compiled with it."""
OLD = (
    *(("count", "word_sum.c"), ("merge", "per_word.c"), ("next", "page_by_page.c")),
    *(("ranges", "word_runs.rs"), ("drain", "fetch_and_all.rs"), ("mark", "per_page.rs")),
)


@pytest.mark.parametrize(("operation", "name"), OLD)
def test_what_was_made_for_version_2_is_called(operation: str, name: str) -> None:
    path = VARIANTS / operation / name
    if path.suffix == ".rs" and rust_obstacle():
        pytest.skip(rust_obstacle())
    old = Variant(path.stem, operation, (path,), built_in=False, root=VERSION_2)
    library = build_variant(old, default_toolchain())
    assert VariantStruct.in_dll(ctypes.CDLL(str(library.path)), "dirtyscan_variant").abi == 2
    assert find_fault(old, two_maps()) is None
    _, results, snapshots = timed([old], pages=1000)
    assert (results == snapshots.right).all()
    now = Variant(path.stem, operation, (path,), built_in=False)
    assert library.has_code_of(build_variant(now, default_toolchain()))


SOURCE = """
#include "dirtyscan.h"

static uint64_t run(const struct dirtyscan_map *map)
{
    return map->pages;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .operation = "count", .map = "bitmap", .summary = "a test", .run.count = run, %s
};
"""


def test_fields_of_a_later_version_are_not_read_of_an_older(tmp_path: Path) -> None:
    path = tmp_path / "mine.c"
    path.write_text(SOURCE % ".abi = 2, .form = 7, .prepare = (void *)8")
    functions = load_variant(
        build_variant(find_variant(str(path), "count"), default_toolchain()).path
    )
    assert functions.functions.form == PLAIN
    assert functions.functions.prepare == 0


READS = "of dirtyscan.h, and this dirtyscan reads versions 2 and 3; "
HEADER = "compile it with the header of this one ('dirtyscan variants --contract'"
REFUSED = {
    "too new": (".abi = 4", f"was made for version 4 {READS}update dirtyscan, or {HEADER}"),
    "too old": (".abi = 1", f"was made for version 1 {READS}{HEADER}"),
    "of no form": (".abi = DIRTYSCAN_ABI, .form = DIRTYSCAN_GIVES",
                   "has form 1, which operation count has not"),
    "never read back": (".abi = DIRTYSCAN_ABI, .prepare = (void *)run",
                        "has .prepare and no .finish; define both, or neither."),
    "never filled": (".abi = DIRTYSCAN_ABI, .finish = (void *)run",
                     "has .finish and no .prepare; define both, or neither."),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_called_is_refused_in_a_sentence(
    what: str, dirtyscan: Run, tmp_path: Path
) -> None:
    fields, sentence = REFUSED[what]
    (tmp_path / "mine.c").write_text(SOURCE % fields)
    store(tmp_path / "small.trace", two_maps())
    done = dirtyscan("bench", "--trace", "small.trace", "--variant", "mine.c")
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("operation", OPERATIONS)
def test_forms_are_the_same_in_c(operation: str, stopwatch_path: Path) -> None:
    library = ctypes.CDLL(str(stopwatch_path))
    work = Work(library, operation, 0, 64)
    found = [form for form in range(8) if library.operation_find(operation.encode(), form)]
    assert tuple(found) == OPERATIONS[operation].forms
    assert work.operation.contents.form == PLAIN


GIVING = """
#include <stdlib.h>
#include "dirtyscan_macros.h"

static void let_go(struct dirtyscan_taken *taken)
{
    static volatile uint64_t sink;

    for (int again = 0; again < AGAIN; again++)
        for (uint64_t word = 0; word < taken->count; word++)
            sink += taken->words[word];
    free(taken->owner);
}

static void drain(struct dirtyscan_map *map, struct dirtyscan_taken *taken)
{
    const uint64_t words = (map->pages + 63) / 64;

    taken->owner = taken->words = malloc(words * 8);
    taken->release = let_go;
    for (uint64_t word = 0; word < words; word++)
        taken->words[word] = EXCHANGE(map->words[word]);
    taken->count = words;
    AFTER
}

DIRTYSCAN_DRAIN_GIVING(mine, drain(map, taken))
"""
ATOMIC = "#define EXCHANGE(word) __atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST)\n"
SLOW = """
#define EXCHANGE(word) ({ uint64_t old = word; for (volatile int i = 0; i < 20; i++) { } \\
                          word = 0; old; })
"""


def giving(path: Path, exchange: str = ATOMIC, again: int = 0, after: str = "") -> Variant:
    path.write_text(f"#define AGAIN {again}\n#define AFTER {after}\n{exchange}{GIVING}")
    return find_variant(str(path), "drain")


def test_a_drain_hands_over_its_own_words(tmp_path: Path) -> None:
    assert find_fault(giving(tmp_path / "mine.c"), two_maps()) is None
    _, results, snapshots = timed([giving(tmp_path / "mine.c")], pages=1000, visits=3)
    assert (results == snapshots.right).all()
    # Words behind its own are taken as 0.
    short = "while (taken->count && !taken->words[taken->count - 1]) taken->count--;"
    assert find_fault(giving(tmp_path / "short.c", after=short), two_maps()) is None


def test_words_that_are_not_handed_over_are_missed(tmp_path: Path) -> None:
    found = find_fault(giving(tmp_path / "mine.c", after="taken->count = 0;"), two_maps())
    assert found is not None
    assert found.what == "counts 0 dirty pages where there are 20"


def test_a_drain_that_hands_over_is_tried_among_writers(tmp_path: Path) -> None:
    found = find_fault(giving(tmp_path / "mine.c", SLOW), two_maps())
    assert found is not None
    assert "loses concurrent writes" in found.what


def test_to_release_them_takes_the_time_of_the_call(tmp_path: Path) -> None:
    """A ratio within one run, which would be 1."""
    variants = [giving(tmp_path / f"mine{again}.c", again=again) for again in (0, 100)]
    elapsed, _, _ = timed(variants, pages=500_000, visits=9)
    mine, slow = np.median(elapsed.sum(axis=2), axis=0)
    assert slow / mine > 3


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not here")
def test_to_release_them_takes_instructions_of_the_call(tmp_path: Path) -> None:
    bitmap = np.packbits(np.arange(6400) % 3 == 0, bitorder="little")
    snapshots = make_snapshots([bitmap], [0], OPERATIONS["drain"])
    counted = []
    for again in (0, 100):
        variant = giving(tmp_path / f"mine{again}.c", again=again)
        driver, built = (
            build_driver(default_toolchain()),
            build_variant(variant, default_toolchain()),
        )
        program = Program(driver.path, built.path, OPERATIONS["drain"])
        found = count_instructions(program, GuestMemory(6400 * 4096), snapshots, branches=False)
        assert not isinstance(found, str)
        counted.append(found[0].instructions)
    assert counted[1] - counted[0] > 100 * 100


def test_a_rehearsal_calls_nothing(tmp_path: Path) -> None:
    """What is taken off by who can count the whole program alone."""
    (tmp_path / "bitmaps").write_bytes(bytes([0xFF] * 16))
    built = build_variant(find_variant("bitmap_popcount", "count"), default_toolchain())
    program = Program(build_driver(default_toolchain()).path, built.path)
    said = []
    for calls in (3, -3):
        command = program.command(tmp_path / "bitmaps", GuestMemory(128 * 4096), 1, calls)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said.append(done.stdout)
    assert said == ["384\n", "0\n"]


TAKING = """
static uint64_t take(uint64_t *words, uint64_t *log, uint64_t pages)
{
    uint64_t word, added = 0;

    for (word = 0; word < (pages + 63) / 64; word++) {
        const uint64_t logged = log[word];

        log[word] = 0;
        added += (uint64_t)__builtin_popcountll(logged & ~words[word]);
        words[word] |= logged;
    }
    return added;
}
"""


def test_a_merge_may_take_its_log_and_others_find_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "taking.c"
    call = "DIRTYSCAN_MERGE_TAKING(taking, take(words, log, pages))"
    path.write_text(f'#include "dirtyscan_macros.h"\n{TAKING}{call}')
    taking, other = (find_variant(name, "merge") for name in (str(path), "per_word"))
    assert find_fault(taking, two_maps()) is None
    _, results, snapshots = timed([taking, other], pages=1000, visits=9)
    assert (results == snapshots.right).all()


def test_one_that_does_not_say_so_is_named(tmp_path: Path) -> None:
    path = tmp_path / "taking.c"
    call = "DIRTYSCAN_MERGE(taking, take(words, (uint64_t *)log, pages))"
    path.write_text(f'#include "dirtyscan_macros.h"\n{TAKING}{call}')
    found = find_fault(find_variant(str(path), "merge"), two_maps())
    assert found is not None
    assert found.what == "changes the log (page 40)"
