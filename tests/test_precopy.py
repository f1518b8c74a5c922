"""The pre-copy loop against a slow model that does what QEMU's source does, page by page."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workloads.precopy import PreCopyParameters, migrate

PAGE = 4096


@dataclasses.dataclass
class ScriptedGuest:
    """Writes what a script says: for each tick the pages, and those that stop being uniform."""

    uniform: NDArray[np.bool_]
    script: list[list[int]]

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        tick = start_ms // (end_ms - start_ms)
        for page in self.script[tick] if tick < len(self.script) else []:
            dirty[page] = True
            self.uniform[page] = False


def slow_migration(
    uniform: list[bool], script: list[list[int]], parameters: PreCopyParameters
) -> list[list[bool]]:
    """One page after the other, in plain Python: ram_save_live() and ram_save_block()."""
    uniform = list(uniform)
    dirty = [True] * len(uniform)
    current = 0
    snapshots = []
    for tick in range(parameters.max_ticks):
        for page in script[tick] if tick < len(script) else []:
            dirty[page], uniform[page] = True, False
        sent_bytes = 0
        while sent_bytes < parameters.bandwidth * parameters.tick // 1000:
            for step in range(len(dirty)):
                page = (current + step) % len(dirty)
                if dirty[page]:
                    break
            else:
                break
            dirty[page] = False
            sent_bytes += parameters.page_header + (1 if uniform[page] else PAGE)
            current = (page + 1) % len(dirty)
        snapshots.append(list(dirty))
        if sum(dirty) * PAGE / parameters.bandwidth <= parameters.max_downtime / 1000:
            break
    return snapshots


@st.composite
def migrations(draw: st.DrawFn) -> tuple[list[bool], list[list[int]], PreCopyParameters]:
    pages = draw(st.integers(1, 60))
    uniform = draw(st.lists(st.booleans(), min_size=pages, max_size=pages))
    writes = st.lists(st.integers(0, pages - 1), max_size=20)
    script = draw(st.lists(writes, max_size=8))
    parameters = PreCopyParameters(
        # From a few bytes a tick to more than all of memory.
        bandwidth=draw(st.integers(10, 10 * PAGE * 70)),
        max_downtime=draw(st.sampled_from([0, 30, 1000])),
        max_ticks=draw(st.integers(1, 12)),
    )
    return uniform, script, parameters


@given(migrations())
@settings(max_examples=400, deadline=None)
def test_the_loop_does_what_the_slow_model_does(
    migration: tuple[list[bool], list[list[int]], PreCopyParameters],
) -> None:
    uniform, script, parameters = migration
    guest = ScriptedGuest(np.array(uniform), script)
    found = [snapshot.dirty.tolist() for snapshot in migrate(guest, PAGE, parameters)]
    assert found == slow_migration(uniform, script, parameters)


def test_windows_do_not_change_what_is_sent() -> None:
    """Memory of several windows, with the search starting in the middle of one."""
    random = np.random.default_rng(5)
    pages = 3 * 2**14 + 7
    uniform = random.random(pages) < 0.5
    script = [random.integers(0, pages, 9000).tolist() for _ in range(6)]
    parameters = PreCopyParameters(bandwidth=300 * 2**20, max_ticks=6)
    guest = ScriptedGuest(uniform.copy(), script)
    found = [snapshot.dirty.copy() for snapshot in migrate(guest, PAGE, parameters)]
    expected = slow_migration(uniform.tolist(), script, parameters)
    assert [f.tolist() for f in found] == expected


def test_ticks_are_100_ms_apart() -> None:
    guest = ScriptedGuest(np.ones(10_000, dtype=bool), [])
    parameters = PreCopyParameters(bandwidth=2**18)
    times = [snapshot.time_ms for snapshot in migrate(guest, PAGE, parameters)]
    assert times == [100 * (i + 1) for i in range(len(times))]
    assert len(times) > 1
