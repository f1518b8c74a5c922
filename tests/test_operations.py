"""Every variant of every operation against numpy, and operations that go astray."""

import ast
import ctypes
import dataclasses
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.measurement.choice import recommended_variants
from harness.native import operation as operation_module
from harness.native.build import build_stopwatch, build_trial, build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.description import Description
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS, TICK_SENT, Operation
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import Toolchain, default_toolchain, find_toolchain
from harness.native.variant import VARIANTS, Variant, built_in_variants
from harness.native.work import Work
from harness.trial.trial import Finding, Trial
from tests.conftest import Run, sentences, store
from workloads.guest import GuestMemory

EVERY = [(operation, name) for operation in OPERATIONS for name in built_in_variants(operation)]
Bits = NDArray[np.bool_]


@functools.cache
def libraries(toolchain: Toolchain) -> tuple[Path, Path]:
    return build_stopwatch(toolchain).path, build_trial(toolchain).path


@functools.cache
def built_in(operation: str, name: str) -> tuple[Path, Description]:
    """Return what is compiled once for all the maps that it is tried on."""
    return load(built_in_variants(operation)[name])


def load(variant: Variant) -> tuple[Path, Description]:
    path = build_variant(variant, default_toolchain()).path
    return path, load_variant(path).description


def find_fault(variant: Variant, maps: list[Bits]) -> Finding | None:
    """Put ``variant`` on trial on ``maps``, each the log of the one before."""
    is_ours = variant.built_in
    path, said = built_in(variant.operation, variant.name) if is_ours else load(variant)
    if said.obstacle():
        pytest.skip(f"{variant.name} {said.obstacle()}")
    operation, pages = OPERATIONS[variant.operation], len(maps[0])
    bitmaps = [np.packbits(map_, bitorder="little") for map_ in maps]
    snapshots = make_snapshots(bitmaps, range(len(maps)), operation)
    trial = Trial(*libraries(default_toolchain()), operation, GuestMemory(pages * 4096), snapshots)
    return trial.find_fault(path, said.map, said.bound)


def skip_without_rust(variant: Variant) -> None:
    if variant.is_rust and rust_obstacle():
        pytest.skip(rust_obstacle())


def from_runs(runs: list[tuple[bool, int]]) -> Bits:
    return np.concatenate([np.full(length, dirty) for dirty, length in runs])


maps = st.lists(
    st.tuples(st.booleans(), st.one_of(st.integers(1, 5), st.integers(1, 700))),
    min_size=1,
    max_size=30,
).map(from_runs)


@pytest.mark.parametrize(("operation", "name"), EVERY)
@given(content=maps, seed=st.integers(0, 2**32))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_does_what_numpy_does(operation: str, name: str, content: Bits, seed: int) -> None:
    variant = built_in_variants(operation)[name]
    skip_without_rust(variant)
    pages = max(64, len(content))
    random = np.random.default_rng(seed)
    first = np.resize(content, pages)
    others = [random.random(pages) < density for density in (0.02, 0.5, 0.98)]
    whole = [np.ones(pages, np.bool_), np.zeros(pages, np.bool_)]
    assert find_fault(variant, [first, *others, *whole]) is None


@pytest.mark.parametrize(("operation", "name"), EVERY)
def test_it_does_so_on_a_large_map(operation: str, name: str) -> None:
    """Larger than what a tick sends, and not a multiple of anything."""
    variant = built_in_variants(operation)[name]
    skip_without_rust(variant)
    random = np.random.default_rng(1)
    pages = 3 * TICK_SENT + 77
    large = [random.random(pages) < density for density in (0.6, 0.001, 0.3)]
    assert find_fault(variant, large) is None


@pytest.mark.parametrize("profile", ["cc-native", "clang-era", "clang-native"])
@pytest.mark.parametrize(("operation", "name"), EVERY)
def test_other_compilers_make_the_same_of_it(operation: str, name: str, profile: str) -> None:
    variant = built_in_variants(operation)[name]
    skip_without_rust(variant)
    try:
        toolchain = find_toolchain(profile)
    except BadInput as error:
        pytest.skip(str(error))
    built = build_variant(variant, toolchain)
    said = load_variant(built.path).description
    if said.obstacle():
        pytest.skip(said.obstacle())
    random = np.random.default_rng(2)
    maps = [random.random(5001) < density for density in (0.0, 0.01, 0.5, 1.0)]
    bitmaps = [np.packbits(map_, bitorder="little") for map_ in maps]
    snapshots = make_snapshots(bitmaps, range(4), OPERATIONS[operation])
    trial = Trial(*libraries(toolchain), OPERATIONS[operation], GuestMemory(5001 * 4096), snapshots)
    assert trial.find_fault(built.path, said.map, said.bound) is None


SOURCE = """
#include "dirtyscan.h"
%s
const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "%s", .map = "%s", .summary = "a test",
    .run.%s = run,
};
"""
ASTRAY = {
    "ranges": ("bitmap", """
static uint64_t run(const struct dirtyscan_map *map, struct dirtyscan_ranges *out)
{
    (void)map;
    out->list[0] = (struct dirtyscan_range){10, 21};
    return 1;
}""", "lists range 0 as [10, 21] (first page, pages) where [10, 20] is right"),
    "drain": ("bitmap", """
static void run(struct dirtyscan_map *map, uint64_t *taken)
{
    uint64_t word;

    for (word = 0; word < (map->pages + 63) / 64; word++) {
        taken[word] = map->words[word];
        for (volatile int wait = 0; wait < 400; wait++) {
        }
        map->words[word] = 0;
    }
}""", "loses concurrent writes (first lost page "),
    "mark": ("bitmap", """
static void run(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
{
    for (; pages--; first++) {
        uint64_t word = map->words[first / 64];

        for (volatile int wait = 0; wait < 400; wait++) {
        }
        map->words[first / 64] = word | UINT64_C(1) << first % 64;
    }
}""", "concurrent writ"),
    "merge": ("bitmap", """
static uint64_t run(struct dirtyscan_map *map, const uint64_t *log)
{
    uint64_t word, new_pages = 0;

    for (word = 0; word < (map->pages + 63) / 64; word++) {
        new_pages += (uint64_t)__builtin_popcountll(log[word] & ~map->words[word]);
    }
    return new_pages;
}""", "leaves page 40 as clean where it is not"),
    "next": ("bitmap", """
static uint64_t run(const struct dirtyscan_map *map, uint64_t from)
{
    return from < 20 ? from : map->pages;
}""", "finds page 0 from page 0 on where 10 is right"),
    "tick": ("counted bitmap", """
static uint64_t run(struct dirtyscan_map *map, const uint64_t *log, uint64_t sent)
{
    uint64_t word, dirty = 0;

    (void)sent;
    for (word = 0; word < (map->pages + 63) / 64; word++) {
        dirty += (uint64_t)__builtin_popcountll(log[word] | map->words[word]);
        map->words[word] = 0;
    }
    return dirty;
}""", "leaves a counter of 20 where 0 pages are dirty"),
}  # fmt: skip


def two_maps() -> list[Bits]:
    first, second = np.zeros((2, 1000), np.bool_)
    first[10:30] = True
    second[40:60] = True
    return [first, second]


@pytest.mark.parametrize("operation", ASTRAY)
def test_one_that_goes_astray_is_named(operation: str, tmp_path: Path) -> None:
    kind, body, sentence = ASTRAY[operation]
    path = tmp_path / "mine.c"
    path.write_text(SOURCE % (body, operation, kind, operation))
    found = find_fault(find_variant(str(path), operation), two_maps())
    assert found is not None
    assert sentence in found.what


@pytest.mark.usefixtures("short_runs")
def test_a_lost_write_is_reported_with_its_page(dirtyscan: Run, tmp_path: Path) -> None:
    kind, body, _ = ASTRAY["drain"]
    (tmp_path / "mine.c").write_text(SOURCE % (body, "drain", kind, "drain"))
    store(tmp_path / "small.trace", two_maps())
    command = ["bench", "--operation", "drain", "--original", "skip_lines_vector", "--trace",
               "small.trace", "--variant", "mine.c", "--precision", "50%"]  # fmt: skip
    done = dirtyscan(*command)
    if "skip_lines_vector" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 1
    assert "variant mine (cc-era) loses concurrent writes (first lost page " in done.stderr


def test_a_rust_file_that_does_not_compile(dirtyscan: Run, tmp_path: Path) -> None:
    if rust_obstacle():
        pytest.skip(rust_obstacle())
    (tmp_path / "mine.rs").write_text("fn nothing( {}")
    store(tmp_path / "small.trace", two_maps())
    done = dirtyscan("bench", "--operation", "drain", "--trace", "small.trace", "--variant",
                     "mine.rs")  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(
        "dirtyscan: mine.rs does not compile with rustc-release:\n    error"
    )
    assert len(sentences(done.stderr)) == 1


def test_an_operation_that_is_not_known(dirtyscan: Run) -> None:
    for command in (["bench", "--operation", "sort"], ["variants", "sort"]):
        done = dirtyscan(*command)
        assert done.returncode == 2
        assert "operation 'sort' is not known; choose from count, ranges" in done.stderr


def test_a_library_of_rust_says_the_same_as_one_of_c() -> None:
    """The layout of the contract is the same in both languages."""
    if rust_obstacle():
        pytest.skip(rust_obstacle())
    built = build_variant(built_in_variants("drain")["skip_clean"], default_toolchain())
    said = load_variant(built.path).description
    assert (said.operation, said.map, said.year, said.bound) == ("drain", "bitmap", 2026, False)
    assert isinstance(load_variant(built.path).library, ctypes.CDLL)


HARNESS = VARIANTS.parent
IN_PYTHON = [path for path in HARNESS.rglob("*.py") if path != Path(str(operation_module.__file__))]
IN_C = [
    *(path for path in HARNESS.rglob("*.[ch]") if VARIANTS not in path.parents),
    Path(__file__).parent / "sanitize.c",
]


def asks_for_a_name(node: ast.AST) -> bool:
    """Whether code goes one way or the other by the name of an operation."""
    if isinstance(node, ast.MatchValue):
        return _are_names([node.value])
    if isinstance(node, ast.Dict):
        return _are_names([key for key in node.keys if key])
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        several = [side.elts for side in sides if isinstance(side, ast.Tuple | ast.List | ast.Set)]
        return any(_are_names(names) for names in [*([side] for side in sides), *several])
    return False


def _are_names(nodes: list[ast.expr]) -> bool:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return bool(values) and len(values) == len(nodes) and set(values) <= set(OPERATIONS)


@pytest.mark.parametrize("path", IN_PYTHON, ids=lambda path: str(path.relative_to(HARNESS)))
def test_no_other_module_asks_which_operation_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [ast.unparse(node) for node in ast.walk(tree) if asks_for_a_name(node)] == []


@pytest.mark.parametrize("path", IN_C, ids=lambda path: path.name)
def test_no_other_file_in_c_has_the_name_of_an_operation(path: Path) -> None:
    """The table of operations says each name, and nothing else in C does."""
    names = "|".join(OPERATIONS)
    code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    code = re.sub(rf'\{{\.name = "({names})",', "", code)
    assert re.findall(rf'"({names})"', code) == []


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        ('name == "drain"', True),
        ('name in ("drain", "mark")', True),
        ('{"drain": 5, "mark": 15}', True),
        ('match name:\n    case "tick":\n        pass', True),
        ('find_operation("tick")', False),
        ('{"count": 2, "flags": ()}', False),
    ],
)
def test_who_asks_is_found(code: str, asks: bool) -> None:
    assert any(asks_for_a_name(node) for node in ast.walk(ast.parse(code))) == asks


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_the_same_in_c(operation: str, stopwatch_path: Path) -> None:
    """C knows it, and leaves a map as it was unless it changes maps."""
    entry = OPERATIONS[operation]
    work = Work(ctypes.CDLL(str(stopwatch_path)), operation, entry.argument, 64)
    assert work.operation.contents.name == operation.encode()
    assert work.changes_map or entry.left is Operation.left
    assert work.changes_map or entry.atomic is None


def test_an_operation_needs_no_recommended_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = dataclasses.replace(OPERATIONS["merge"], recommended=())
    monkeypatch.setitem(OPERATIONS, "merge", bare)
    assert recommended_variants("merge") == ()
