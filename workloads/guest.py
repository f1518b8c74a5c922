"""A guest: what it writes in each tick, and which of its pages hold one repeated byte."""

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.units import format_size
from workloads.draws import Draws
from workloads.parameters import parameter

DEFAULT_GUEST_MEMORY = 512 * 2**20
DEFAULT_PAGE_SIZE = 4096
MAX_PAGES = 2**32 - 1  # of 4 KiB 16 TiB; page numbers are drawn from 32-bit integers


@dataclasses.dataclass(frozen=True)
class GuestMemory:
    """The size of a guest.

    Raises:
        BadInput: the size or the page size cannot be had.
    """

    size: int = DEFAULT_GUEST_MEMORY
    page_size: int = DEFAULT_PAGE_SIZE

    def __post_init__(self) -> None:
        if self.page_size < 512 or self.page_size & (self.page_size - 1):
            raise BadInput(
                f"a page size of {self.page_size} bytes cannot be used; give a power of two of at "
                "least 512, usually 4096."
            )
        if self.size <= 0 or self.size % self.page_size:
            raise BadInput(
                f"guest memory of {self.size} bytes cannot be used; give a positive multiple of "
                f"the page size ({format_size(self.page_size)}), for example 512MiB."
            )
        if not 64 <= self.pages <= MAX_PAGES:
            raise BadInput(
                f"guest memory of {format_size(self.size)} is {self.pages} pages; give between 64 "
                f"and {MAX_PAGES} pages of {format_size(self.page_size)}."
            )

    @property
    def pages(self) -> int:
        """Guest memory in pages."""
        return self.size // self.page_size

    @property
    def bitmap_bytes(self) -> int:
        """The length in bytes of a bitmap of its pages, one bit a page."""
        return -(-self.pages // 8)

    def share(self, share: float) -> int:
        """Return a share of guest memory in whole pages, at least one."""
        return max(1, int(self.pages * share))


class Guest(Protocol):
    """A write model. Both maps hold one ``bool`` a page."""

    uniform: NDArray[np.bool_]
    """Which pages hold one repeated byte now (untouched memory is zeros)."""

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        """Set in ``dirty`` every page written from ``start_ms`` up to ``end_ms``.

        Called with intervals that follow each other from 0; also keeps :attr:`uniform` up to date.
        """


class GuestParameters(Protocol):
    """What a guest is made from: a frozen dataclass of parameters."""

    def make_guest(self, memory: GuestMemory, seed: int) -> Guest:
        """Return a guest with ``memory``; the same ``seed`` makes the same guest."""


@dataclasses.dataclass(frozen=True)
class IdleParameters:
    """What every guest does and holds, whatever runs in it."""

    resident: float = parameter(
        0.125,
        unit="share",
        reason="of guest memory: 64 of 512 MiB for kernel, daemons and what booting left in the "
        "page cache, at low addresses; the rest has never been touched and is zeros",
    )
    hot: int = parameter(
        24,
        unit="pages",
        reason="written in every tick: run queue, timer wheel, interrupt and task stacks, clock",
    )
    daemons: int = parameter(
        10,
        unit="daemons",
        maximum=1000,
        reason="that wake now and then: the system logger, cron, mail, terminals and the like",
    )
    daemon_pages: int = parameter(
        5,
        unit="pages",
        maximum=10_000,
        reason="written whenever a daemon wakes, always the same: its stacks, its task, its data. "
        "In captured guests, too, what is written beside the workload is the same few pages",
    )
    daemon_period: int = parameter(
        1000, unit="ms", minimum=1, reason="from one time that a daemon wakes to the next"
    )


class Idle:
    """The noise of a guest that does nothing, around which every condition is built."""

    def __init__(self, memory: GuestMemory, parameters: IdleParameters, seed: int) -> None:
        self.resident = min(memory.share(parameters.resident), memory.pages)
        self.uniform = np.ones(memory.pages, dtype=np.bool_)
        self.uniform[: self.resident] = False
        self._period = parameters.daemon_period
        draws = Draws(seed, "idle")
        self._hot = draws.below(self.resident, parameters.hot)
        self._daemons = [
            (int(draws.below(self._period, 1)[0]), draws.below(self.resident, daemon_pages))
            for daemon_pages in [parameters.daemon_pages] * parameters.daemons
        ]

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        """See :class:`Guest`."""
        if end_ms > start_ms:
            dirty[self._hot] = True
        for phase, pages in self._daemons:
            if (start_ms + phase) // self._period != (end_ms + phase) // self._period:
                dirty[pages] = True
