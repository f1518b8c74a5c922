"""What the guests of the conditions write, and that they always write the same."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from workloads.conditions import CONDITIONS
from workloads.guest import GuestMemory
from workloads.page_cache import (
    FileCopier,
    FileCopyParameters,
    FileReader,
    FileReadParameters,
    PageCache,
)
from workloads.region import AlternatingParameters, RegionParameters, RegionWriter
from workloads.synthesis import make_recipe, synthesize

MEMORY = GuestMemory()
QUIET = {"hot": 0, "daemons": 0}

# Of the default traces: a change here means that every published result has another input.
CONTENT = {
    "cond1": "84103d8b",
    "cond2": "797aaff5",
    "cond3": "6d883910",
    "cond4": "e4742d08",
    "cond2-full": "e130724e",
}


def written(guest: object, ticks: int) -> Iterator[NDArray[np.bool_]]:
    for tick in range(ticks):
        dirty = np.zeros(MEMORY.pages, dtype=bool)
        guest.write(tick * 100, (tick + 1) * 100, dirty)  # type: ignore[attr-defined]
        yield dirty


def runs(dirty: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], dirty.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_default_traces_are_the_same_everywhere(name: str, tmp_path: Path) -> None:
    trace = synthesize(make_recipe(CONDITIONS[name], MEMORY), tmp_path / "trace")
    assert trace.content_hash.startswith(CONTENT[name])


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_seed_makes_the_same_file_and_another_seed_another(name: str, tmp_path: Path) -> None:
    memory = GuestMemory(4 * 2**20)
    files = []
    for number, seed in enumerate((7, 7, 8)):
        recipe = make_recipe(CONDITIONS[name], memory, {"": {"max_ticks": 30}}, seed)
        files.append(synthesize(recipe, tmp_path / str(number)).path.read_bytes())
    assert files[0] == files[1] != files[2]


def test_cond1_writes_one_contiguous_region_of_256_mib_every_period() -> None:
    guest = RegionWriter(MEMORY, RegionParameters(**QUIET), 1)
    ticks = list(written(guest, 20))
    for period in (ticks[:10], ticks[10:]):
        assert runs(np.logical_or.reduce(period)) == [(2**15, 2**15 + 2**16)]
    # 256 MiB at 1 GiB/s: three ticks, then nothing until the next period.
    assert [bool(tick.any()) for tick in ticks] == ([True] * 3 + [False] * 7) * 2


def test_cond2_writes_every_other_page_of_that_region() -> None:
    guest = RegionWriter(MEMORY, AlternatingParameters(**QUIET), 1)
    pages = np.flatnonzero(np.logical_or.reduce(list(written(guest, 10))))
    assert pages.tolist() == list(range(2**15, 2**15 + 2**16, 2))


@given(
    period=st.integers(1, 5000), rate=st.integers(2**20, 2**34), stride=st.integers(1, 9),
    tick=st.integers(1, 300),
)  # fmt: skip
@example(period=100, rate=2**24, stride=1, tick=34)  # a pass that is done within a tick, but begun
def test_no_page_of_the_region_is_written_twice_or_left_out(
    period: int, rate: int, stride: int, tick: int
) -> None:
    """Whatever the ticks: each pass over the region writes each of its pages once."""
    memory = GuestMemory(2**20)
    parameters = RegionParameters(period=period, write_rate=rate, stride=stride, **QUIET)
    guest = RegionWriter(memory, parameters, 1)
    needs_ms = memory.size / 2 / rate * 1000
    counts = np.zeros(memory.pages, dtype=int)
    now = 0
    while now < period * 3:
        dirty = np.zeros(memory.pages, dtype=bool)
        guest.write(now, min(now + tick, period * 3), dirty)
        counts += dirty
        now += tick
    region = counts[64 : 64 + 128]
    assert not counts[:64].any()
    assert not counts[192:].any()
    if needs_ms <= period - 1 and tick <= period:
        assert set(region[::stride]) == {3}
    assert region.sum() == region[::stride].sum()


def test_idle_noise_is_small_and_in_the_resident_pages() -> None:
    guest = RegionWriter(MEMORY, RegionParameters(start=0.5), 1)
    noise = [dirty[: MEMORY.pages // 2] for dirty in written(guest, 50)]
    assert all(0 < dirty.sum() <= 24 + 10 * 5 for dirty in noise)
    assert not np.logical_or.reduce(noise)[MEMORY.pages // 8 :].any()
    # Every daemon wakes once a second, and writes the same pages as before.
    seconds = [np.logical_or.reduce(noise[first : first + 10]) for first in range(0, 50, 10)]
    assert 60 <= seconds[0].sum() <= 24 + 10 * 5
    assert all(np.array_equal(second, seconds[0]) for second in seconds)


def test_cond3_recycles_the_page_cache_in_allocation_order() -> None:
    parameters = FileReadParameters(**QUIET, page_descriptor=0)
    guest = FileReader(MEMORY, parameters, 1)
    cache = MEMORY.pages - MEMORY.pages // 8 - MEMORY.pages // 128
    ticks = [np.flatnonzero(dirty[2**14 :]) for dirty in written(guest, 600)]
    total = 0
    firsts = []
    for pages in ticks:
        total += len(pages)
        firsts.append(total)
    assert total == 6 * MEMORY.pages
    # Read-ahead windows lie whole in memory, wherever they are.
    first = np.zeros(MEMORY.pages, dtype=bool)
    first[ticks[0] + 2**14] = True
    assert all((b - a) % 32 == 0 for a, b in runs(first))
    # What is written next, once the cache is full, is what was written first.
    fill = int(np.searchsorted(firsts, cache))
    again = np.concatenate(ticks[fill + 1 : fill + 3])
    assert set(again) <= set(np.concatenate(ticks[:5]))


def test_a_page_cache_hands_out_all_pages_before_one_again() -> None:
    cache = PageCache(100, 1380, 32, 0.3, 9)
    assert cache.pages == 1280
    first = np.concatenate([cache.take(7) for _ in range(1280 // 7 + 1)])
    assert sorted(first[:1280].tolist()) == list(range(100, 1380))
    assert first[1280:].tolist() == first[: len(first) - 1280].tolist()


def test_cond4_writes_twice_what_it_reads_and_metadata() -> None:
    parameters = FileCopyParameters(**QUIET, page_descriptor=0)
    guest = FileCopier(MEMORY, parameters, 1)
    dirty = np.logical_or.reduce(list(written(guest, 10)))[2**14 :]
    copied = 32 * 2**20 // 4096
    assert dirty.sum() == 2 * copied + 32


def test_pages_that_were_written_no_longer_cost_9_bytes() -> None:
    for kind, parameters in (
        (FileReader, FileReadParameters(**QUIET)),
        (FileCopier, FileCopyParameters(**QUIET)),
        (RegionWriter, RegionParameters(**QUIET)),
    ):
        guest = kind(MEMORY, parameters, 1)  # type: ignore[arg-type]
        for dirty in written(guest, 30):
            assert not guest.uniform[dirty].any()


def test_a_guest_that_does_not_fit_the_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Little:
        available = 2**30

    monkeypatch.setattr("psutil.virtual_memory", Little)
    make_recipe(CONDITIONS["cond1"], GuestMemory(2**40))
    with pytest.raises(BadInput, match=r"needs 2GiB for its maps .* give at most 1024GiB"):
        make_recipe(CONDITIONS["cond1"], GuestMemory(2**41))


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("size", [64 * 4096, 65 * 4096, 2**30])
def test_any_guest_memory_will_do(name: str, size: int, tmp_path: Path) -> None:
    recipe = make_recipe(CONDITIONS[name], GuestMemory(size), {"": {"max_ticks": 15}})
    trace = synthesize(recipe, tmp_path / "trace")
    trace.verify()
    assert 1 <= len(trace) <= 15
