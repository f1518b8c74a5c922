"""The pre-copy loop of qemu-kvm in 2010, which decides what is still dirty at each call.

Every 100 ms the timer of the buffered file calls ``ram_save_live()``: merge what the guest wrote
into the byte map, send pages in address order from where the last search ended until the rate limit
of the tick is used up, then call ``ram_save_remaining()`` once. (QEMU of early 2010: vl.c,
buffered_file.c, migration.c.)
"""

import dataclasses
from collections.abc import Iterator

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
    dirty = np.ones(len(guest.uniform), dtype=np.bool_)
    share = parameters.bandwidth * parameters.tick // 1000
    position = 0
    for tick in range(1, parameters.max_ticks + 1):
        now = tick * parameters.tick
        guest.write(now - parameters.tick, now, dirty)
        position = _send(dirty, guest.uniform, position, share, page_size, parameters.page_header)
        yield Snapshot(now, dirty)
        remaining_bytes = int(np.count_nonzero(dirty)) * page_size
        if remaining_bytes * 1000 <= parameters.max_downtime * parameters.bandwidth:
            return


def _send(
    dirty: NDArray[np.bool_],
    uniform: NDArray[np.bool_],
    position: int,
    share: int,
    page_size: int,
    header: int,
) -> int:
    """Send dirty pages from ``position`` on, at most once round, and clear them in ``dirty``.

    QEMU asks whether the limit is reached before each page, so the last page may go past ``share``
    bytes, and what it took too much is not carried over to the next tick.

    Returns:
        The page after the last one sent, where the next search starts.
    """
    left = share
    for low, high in _once_round(position, len(dirty)):
        pages = low + np.flatnonzero(dirty[low:high])
        cost = np.where(uniform[pages], header + 1, header + page_size)
        spent_before = np.cumsum(cost) - cost
        sent = int(np.searchsorted(spent_before, left, side="left"))
        dirty[pages[:sent]] = False
        if sent:
            position = (int(pages[sent - 1]) + 1) % len(dirty)
            left -= int(spent_before[sent - 1] + cost[sent - 1])
        if left <= 0:
            break
    return position


def _once_round(position: int, pages: int) -> Iterator[tuple[int, int]]:
    """Yield windows [low, high) that together cover all pages once, starting at ``position``."""
    for begin, end in ((position, pages), (0, position)):
        for low in range(begin, end, _WINDOW):
            yield low, min(low + _WINDOW, end)
