"""Every built-in variant against numpy, on maps of any length, alignment and content."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.measurement.rounds import Callee, time_pass
from harness.native.build import build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.contract import MapStruct
from harness.native.dirty_map import ARRAYS, BYTE_MAP, COUNTED
from harness.native.finding import find_variant
from harness.native.loaded_variant import LoadedVariant, load_variant
from harness.native.operation import OPERATIONS
from harness.native.peers import PEERS
from harness.native.stopwatch import Stopwatch, make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import built_in_variants
from workloads.guest import GuestMemory

VARIANTS = built_in_variants("count")
BOUNDS = {"read_limit", "bitmap_read_limit"}
MIGRATION = 0x08


def load_built_in(operation: str, name: str) -> LoadedVariant:
    variant = built_in_variants(operation)[name]
    if variant.is_rust and rust_obstacle():
        pytest.skip(rust_obstacle())
    return load_variant(build_variant(variant, default_toolchain()).path)


def load(name: str) -> LoadedVariant:
    loaded = load_variant(build_variant(VARIANTS[name], default_toolchain()).path)
    if loaded.description.obstacle():
        pytest.skip(f"{name} {loaded.description.obstacle()}")
    return loaded


@pytest.fixture(scope="module", params=[name for name in VARIANTS if name not in BOUNDS])
def variant(request: pytest.FixtureRequest) -> LoadedVariant:
    return load(request.param)


def words_of(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """One bit each, in whole words, and at least one."""
    padded = np.zeros(-(-len(bits) // 64) * 64, np.bool_)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


def count(variant: LoadedVariant, bytes_: NDArray[np.uint8], page_size: int = 4096) -> int:
    """Call ``variant`` on the map of ``bytes_`` in its own representation."""
    kind = variant.description.map
    dirty = (bytes_ & MIGRATION) != 0
    words = words_of(dirty)
    lines = np.add.reduceat(dirty, np.arange(0, len(dirty), 512), dtype=np.int64) != 0
    summary = words_of(lines)
    arrays: dict[str, NDArray[Any]] = {"bytes": bytes_, "words": words, "summary": summary}
    addresses = {name: arrays[name].ctypes.data for name in ARRAYS[kind]}
    map_ = MapStruct(**addresses, pages=len(bytes_), page_size=page_size)
    map_.dirty = int(dirty.sum()) if kind == COUNTED else 0
    before = [array.copy() for array in arrays.values()]
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.POINTER(MapStruct))(variant.address)
    counted = int(function(ctypes.byref(map_)))
    assert all(np.array_equal(*pair) for pair in zip(before, arrays.values(), strict=True))
    return counted


def aligned(content: NDArray[np.uint8], offset: int) -> NDArray[np.uint8]:
    """A copy of ``content`` that starts ``offset`` bytes behind a multiple of 64, between bytes
    that would be counted if they were looked at."""
    memory = np.full(len(content) + 192, 0xFF, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + 64 + offset
    memory[start : start + len(content)] = content
    return memory[start : start + len(content)]


def oracle(bytes_: NDArray[np.uint8]) -> int:
    return int(np.count_nonzero(bytes_ & MIGRATION))


# Runs of one byte, and any byte at all: other users' flags must not count.
segments = st.lists(
    st.tuples(st.sampled_from([0xFF, 0xF7, 0x08, 0x00, 0x0B, 0xF3]), st.integers(1, 70)),
    min_size=1,
    max_size=12,
).map(lambda runs: b"".join(bytes([byte]) * length for byte, length in runs))
maps = st.one_of(segments, st.binary(min_size=1, max_size=300))


@given(content=maps, offset=st.integers(0, 63), page_bits=st.integers(9, 21))
@settings(max_examples=500, deadline=None)
def test_it_counts_what_numpy_counts(
    variant: LoadedVariant, content: bytes, offset: int, page_bits: int
) -> None:
    map_ = aligned(np.frombuffer(content, dtype=np.uint8), offset)
    assert count(variant, map_, 1 << page_bits) == oracle(map_)


@pytest.mark.parametrize("pages", range(1, 40))
def test_all_dirty_and_all_clean_maps_of_every_short_length(
    variant: LoadedVariant, pages: int
) -> None:
    for offset in range(8):
        assert count(variant, aligned(np.full(pages, 0xFF, np.uint8), offset)) == pages
        assert count(variant, aligned(np.full(pages, 0xF7, np.uint8), offset)) == 0


@pytest.mark.parametrize("density", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_it_counts_large_maps(variant: LoadedVariant, density: float) -> None:
    random = np.random.default_rng(3)
    flags = random.integers(0, 256, 2**20, dtype=np.uint8) & ~np.uint8(MIGRATION)
    map_ = flags | np.where(random.random(2**20) < density, MIGRATION, 0).astype(np.uint8)
    assert count(variant, map_) == oracle(map_)


@pytest.mark.parametrize("pages", [511, 512, 513, 32768, 32769, 100_000])
def test_single_dirty_pages_far_apart(variant: LoadedVariant, pages: int) -> None:
    for place in (0, 1, pages // 2, pages - 2, pages - 1):
        map_ = np.full(pages, 0xF7, np.uint8)
        map_[place] = 0xFF
        assert count(variant, map_) == 1


def test_it_says_what_it_is(variant: LoadedVariant) -> None:
    said = variant.description
    assert said.operation == "count"
    assert said.map in ARRAYS
    assert 1990 < said.year < 2100
    assert said.summary


def test_the_stopwatch_fills_calls_and_counts(stopwatch_path: Path) -> None:
    """Its own part: bitmap to every representation, every variant called, results in place."""
    names = ["page_by_page", "bitmap_popcount", "two_level", "counter", "multi_page"]
    callees: list[Callee] = [*(load(name) for name in names), PEERS["numpy_bitwise_count"]]
    random = np.random.default_rng(4)
    dirty = random.random((9, 1001)) < random.random((9, 1))
    dirty[2, :800] = False
    snapshots = make_snapshots(list(np.packbits(dirty, axis=1, bitorder="little")), range(9))
    assert snapshots.dirty.tolist() == dirty.sum(axis=1).tolist()
    stopwatch = Stopwatch(stopwatch_path, GuestMemory(1001 * 4096), ARRAYS)
    stopwatch.fill(snapshots.bitmaps[3])
    bytes_ = stopwatch.arrays.view("bytes")
    assert np.array_equal(bytes_, np.where(dirty[3], 0xFF, 0xF7))
    order = random.random((9, len(callees))).argsort(axis=1).astype(np.uint16)
    for some in (callees, callees[:-1]):
        turns = order if some is callees else _without(order, len(some))
        visited = random.permutation(9)
        elapsed, counts = time_pass(stopwatch, snapshots, some, [3] * len(some), visited, turns)
        assert np.array_equal(counts, np.tile(dirty.sum(axis=1), (len(some), 1)))
        assert elapsed.shape == counts.shape
        assert elapsed.any()


def test_no_python_package_is_called_between_two_variants(
    stopwatch_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have all their turns, on all snapshots, before the first of them."""
    passes: list[list[int]] = []
    alone = Stopwatch.time_pass

    def noted(*given: Any) -> Any:
        passes.append(given[4].tolist())
        return alone(*given)

    monkeypatch.setattr(Stopwatch, "time_pass", noted)
    callees: list[Callee] = [load("page_by_page"), PEERS["numpy_bitwise_count"], load("counter")]
    snapshots = make_snapshots([np.full(16, byte, np.uint8) for byte in (1, 3, 7)], range(3))
    stopwatch = Stopwatch(stopwatch_path, GuestMemory(128 * 4096), ARRAYS)
    order = np.array([[1, 0, 2], [2, 1, 0], [0, 2, 1]], np.uint16)
    given = stopwatch, snapshots, callees, [1] * 3, np.array([2, 0, 1]), order, True
    elapsed, counts = time_pass(*given)
    assert passes == [[2, 0, 1]]
    assert counts.tolist() == [[16, 32, 48]] * 3
    assert (elapsed > 0).all()


def _without(order: NDArray[np.uint16], last: int) -> NDArray[np.uint16]:
    return np.array([[i for i in turns if i != last] for turns in order], np.uint16)


def test_only_a_counted_bitmap_knows_the_answer(stopwatch_path: Path, tmp_path: Path) -> None:
    """A variant of another representation that returns the counter gets 0."""
    text = (VARIANTS["counter"].sources[0]).read_text(encoding="utf-8")
    cheat = tmp_path / "cheat.c"
    cheat.write_text(text.replace('"counted bitmap"', '"bitmap"'))
    built = build_variant(find_variant(str(cheat), "count"), default_toolchain())
    snapshots = make_snapshots([np.full(16, 0xFF, np.uint8)], [0])
    stopwatch = Stopwatch(stopwatch_path, GuestMemory(128 * 4096), ARRAYS)
    visited, order = np.zeros(1, np.intp), np.zeros((1, 1), np.uint16)
    _, counts = stopwatch.time_pass(snapshots, [load_variant(built.path)], [1], visited, order)
    assert counts.tolist() == [[0]]


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_counts_what_numpy_counts(name: str) -> None:
    peer = PEERS[name]
    if peer.obstacle():
        pytest.skip(peer.obstacle())
    dirty = np.random.default_rng(5).random(2000) < 0.3
    bytes_ = np.where(dirty, 0xFF, 0xF7).astype(np.uint8)
    memory = bytes_ if peer.map == BYTE_MAP else words_of(dirty).view(np.uint8)
    assert peer.count(peer.build(memory)) == dirty.sum()


def test_what_is_recommended_exists_and_is_of_its_representation() -> None:
    for operation in OPERATIONS.values():
        for names in operation.recommended:
            kinds = {load_built_in(operation.name, name).description.map for name in names}
            assert len(kinds) == 1


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_bound_reads_and_says_that_it_counts_nothing(name: str) -> None:
    bound = load(name)
    assert bound.description.bound
    for pages in (*range(1, 300), 5000):
        count(bound, aligned(np.full(pages, 0xFF, np.uint8), pages % 64))


def test_a_variant_that_cannot_run_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.native.description.cpu_flags", lambda: ("sse2",))
    loaded = load_variant(build_variant(VARIANTS["avx2"], default_toolchain()).path)
    assert loaded.description.obstacle() == "needs avx2, which this CPU lacks"


def test_what_is_not_a_variant_is_refused(stopwatch_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a variant"):
        load_variant(stopwatch_path)
    other = tmp_path / "text.so"
    other.write_text("not a library")
    with pytest.raises(BadInput, match="is not a variant"):
        load_variant(other)
