"""The pre-copy loop of qemu-kvm in 2010, which decides what is still dirty at each call.

Every 100 ms the timer of the buffered file calls ``ram_save_live()``: merge what the guest wrote
into the byte map, send pages in address order from where the last search ended until the rate limit
of the tick is used up, then call ``ram_save_remaining()`` once. (QEMU of early 2010: vl.c,
buffered_file.c, migration.c.)
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from workloads.guest import Guest
from workloads.parameters import parameter

_WINDOW = 2**14  # pages looked at together while sending; more is slower and takes more memory


@dataclasses.dataclass(frozen=True)
class PreCopyParameters:
    """The settings of a migration."""

    bandwidth: int = parameter(
        32 * 2**20, unit="B/s", minimum=1, reason="QEMU's default rate limit in 2010"
    )
    tick: int = parameter(
        100, unit="ms", minimum=1, reason="the period of the buffered file's timer in QEMU"
    )
    max_downtime: int = parameter(
        30, unit="ms", reason="QEMU's default: the last stage starts when so much time would do"
    )
    page_header: int = parameter(
        8, unit="B", reason="on the wire before each page: its address and flags"
    )
    max_ticks: int = parameter(
        600,
        unit="ticks",
        minimum=1,
        reason="a minute; a guest that writes faster than the rate limit would never end",
    )


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The dirty map at one call of ``ram_save_remaining()``."""

    time_ms: int
    dirty: NDArray[np.bool_]
    """One bool a page; valid only until the next snapshot is asked for."""


def migrate(guest: Guest, page_size: int, parameters: PreCopyParameters) -> Iterator[Snapshot]:
    """Migrate ``guest`` and yield the dirty map at each call of ``ram_save_remaining()``."""
    loop = PreCopyLoop(len(guest.uniform), page_size, parameters)
    for tick in range(1, parameters.max_ticks + 1):
        now = tick * parameters.tick
        guest.write(now - parameters.tick, now, loop.dirty)
        loop.send(lambda pages: guest.uniform[pages])
        yield Snapshot(now, loop.dirty)
        if loop.done:
            return


class PreCopyLoop:
    """What the loop keeps from tick to tick: the byte map, and where its search goes on.

    Args:
        pages: of guest memory, all dirty at the start.
        page_size: in bytes.
        window: how many pages are looked at together while sending.
    """

    def __init__(
        self, pages: int, page_size: int, parameters: PreCopyParameters, window: int = _WINDOW
    ) -> None:
        self.dirty = np.ones(pages, dtype=np.bool_)
        """One bool a page; what the guest writes is to be set in it."""
        self._page_size = page_size
        self._parameters = parameters
        self._window = window
        self._position = 0

    @property
    def done(self) -> bool:
        """Whether what is left fits into the downtime."""
        limits = self._parameters
        remaining_bytes = int(np.count_nonzero(self.dirty)) * self._page_size
        return remaining_bytes * 1000 <= limits.max_downtime * limits.bandwidth

    def send(self, uniform: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> None:
        """Send dirty pages from where the last search ended, at most once round, and clear them.

        QEMU asks whether the limit is reached before each page, so the last page may go past the
        tick's share of bytes, and what it took too much is not carried over to the next tick.

        Args:
            uniform: says for page numbers, ascending, whether each holds one repeated byte now.
        """
        limits, header = self._parameters, self._parameters.page_header
        left = limits.bandwidth * limits.tick // 1000
        for low, high in _once_round(self._position, len(self.dirty), self._window):
            pages = low + np.flatnonzero(self.dirty[low:high])
            cost = np.where(uniform(pages), header + 1, header + self._page_size)
            spent_before = np.cumsum(cost) - cost
            sent = int(np.searchsorted(spent_before, left, side="left"))
            self.dirty[pages[:sent]] = False
            if sent:
                self._position = (int(pages[sent - 1]) + 1) % len(self.dirty)
                left -= int(spent_before[sent - 1] + cost[sent - 1])
            if left <= 0:
                break


def _once_round(position: int, pages: int, window: int) -> Iterator[tuple[int, int]]:
    """Yield windows [low, high) that together cover all pages once, starting at ``position``."""
    for begin, end in ((position, pages), (0, position)):
        for low in range(begin, end, window):
            yield low, min(low + window, end)
