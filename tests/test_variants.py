"""Every built-in variant against numpy, on maps of any length, alignment and content."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.build import build_variant
from harness.native import LoadedVariant, Stopwatch, load_variant
from harness.toolchain import default_toolchain
from harness.variant import built_in_variants
from workloads.errors import BadInput
from workloads.guest import GuestMemory

VARIANTS = built_in_variants("count")
BOUNDS = {"read_limit"}
MIGRATION = 0x08


class ByteMapStruct(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_void_p),
        ("pages", ctypes.c_uint64),
        ("page_size", ctypes.c_uint64),
    )


def load(name: str) -> LoadedVariant:
    loaded = load_variant(build_variant(VARIANTS[name], default_toolchain()).path)
    if loaded.obstacle():
        pytest.skip(f"{name} {loaded.obstacle()}")
    return loaded


@pytest.fixture(scope="module", params=[name for name in VARIANTS if name not in BOUNDS])
def variant(request: pytest.FixtureRequest) -> LoadedVariant:
    return load(request.param)


def count(variant: LoadedVariant, bytes_: NDArray[np.uint8], page_size: int = 4096) -> int:
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.POINTER(ByteMapStruct))(variant.address)
    map_ = ByteMapStruct(bytes_.ctypes.data, len(bytes_), page_size)
    return int(function(ctypes.byref(map_)))


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
    before = map_.copy()
    assert count(variant, map_, 1 << page_bits) == oracle(map_)
    assert np.array_equal(map_, before)


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


def test_it_says_what_it_is(variant: LoadedVariant) -> None:
    assert variant.operation == "count"
    assert variant.map == "byte map"
    assert 1990 < variant.year < 2100
    assert variant.summary


def test_the_stopwatch_expands_calls_and_counts(stopwatch_path: Path) -> None:
    """Its own part: bitmap to byte map, every variant called, results in their places."""
    loaded = [load("page_by_page"), load("word_sum"), load("multi_page")]
    random = np.random.default_rng(4)
    dirty = random.random((9, 1001)) < random.random((9, 1))
    bitmaps = np.packbits(dirty, axis=1, bitorder="little")
    stopwatch = Stopwatch(stopwatch_path, GuestMemory(1001 * 4096))
    assert np.array_equal(stopwatch.expand(bitmaps[3]), np.where(dirty[3], 0xFF, 0xF7))
    order = random.random((9, len(loaded))).argsort(axis=1).astype(np.uint8)
    elapsed, counts = stopwatch.time_pass(bitmaps, loaded, [3] * len(loaded), order)
    assert np.array_equal(counts, np.tile(dirty.sum(axis=1), (len(loaded), 1)))
    assert elapsed.shape == counts.shape
    assert elapsed.any()


def test_a_bound_reads_and_says_that_it_counts_nothing() -> None:
    for name in BOUNDS:
        bound = load(name)
        assert bound.bound
        for pages in (*range(1, 300), 5000):
            map_ = aligned(np.full(pages, 0xFF, np.uint8), pages % 64)
            count(bound, map_)
            assert (map_ == 0xFF).all()


def test_a_variant_that_cannot_run_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.native.cpu_flags", lambda: ("sse2",))
    loaded = load_variant(build_variant(VARIANTS["avx2"], default_toolchain()).path)
    assert loaded.obstacle() == "needs avx2, which this CPU lacks"


def test_what_is_not_a_variant_is_refused(stopwatch_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a variant"):
        load_variant(stopwatch_path)
    other = tmp_path / "text.so"
    other.write_text("not a library")
    with pytest.raises(BadInput, match="is not a variant"):
        load_variant(other)
