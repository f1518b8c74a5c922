"""Cond1 and Cond2: a program that writes one region of memory over and over."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workloads.guest import GuestMemory, Idle, IdleParameters
from workloads.parameters import parameter


@dataclasses.dataclass(frozen=True)
class RegionParameters(IdleParameters):
    """A program that writes every page of a region, waits for the next period, and starts again."""

    start: float = parameter(
        0.25,
        unit="share",
        reason="of guest memory, where the region starts: behind the resident pages",
    )
    region: float = parameter(
        0.5, unit="share", reason="of guest memory: the 256 MiB that the letter names, of 512 MiB"
    )
    stride: int = parameter(
        1, unit="pages", minimum=1, reason="from one written page to the next; 1 is contiguous"
    )
    period: int = parameter(
        1000,
        unit="ms",
        minimum=1,
        reason="from one pass to the next; the letter says periodically, and a loop with sleep(1) "
        "is what one writes for that",
    )
    write_rate: int = parameter(
        2**30,
        unit="B/s",
        minimum=1,
        reason="of memory passed over: about 4 us a page, the cost of a write fault under the "
        "dirty log in 2010 and not of the store itself",
    )

    def make_guest(self, memory: GuestMemory, seed: int) -> "RegionWriter":
        """See :class:`workloads.guest.GuestParameters`."""
        return RegionWriter(memory, self, seed)


@dataclasses.dataclass(frozen=True)
class AlternatingParameters(RegionParameters):
    """As :class:`RegionParameters`, with every other page left alone."""

    stride: int = parameter(
        2, unit="pages", minimum=1, reason="dirty and clean pages in turn, as the letter says"
    )


@dataclasses.dataclass(frozen=True)
class AlternatingEverywhereParameters(AlternatingParameters):
    """The other reading of Cond2: 256 MiB of dirty pages, alternating over all of memory."""

    start: float = parameter(0.0, unit="share", reason="of guest memory: its beginning")
    region: float = parameter(1.0, unit="share", reason="of guest memory: all of it")


class RegionWriter:
    """The guest of Cond1 and Cond2 (a :class:`workloads.guest.Guest`)."""

    def __init__(self, memory: GuestMemory, parameters: RegionParameters, seed: int) -> None:
        self._idle = Idle(memory, parameters, seed)
        self._parameters = parameters
        self._page_size = memory.page_size
        self._start = min(int(memory.pages * parameters.start), memory.pages - 1)
        self._pages = min(memory.share(parameters.region), memory.pages - self._start)
        self.uniform = self._idle.uniform
        # The program has been running for a while when the migration starts.
        self._region(self.uniform)[:: parameters.stride] = False

    def _region(self, map_: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return map_[self._start : self._start + self._pages]

    def _passed(self, now_ms: int) -> int:
        """Return how many pages the program has passed over in all by ``now_ms``."""
        period = self._parameters.period
        done = (now_ms % period) * self._parameters.write_rate // 1000 // self._page_size
        return now_ms // period * self._pages + min(done, self._pages)

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        """See :class:`workloads.guest.Guest`."""
        self._idle.write(start_ms, end_ms, dirty)
        region, stride = self._region(dirty), self._parameters.stride
        first, last = self._passed(start_ms), self._passed(end_ms)
        if last - first >= self._pages:
            region[::stride] = True
            return
        begin, end = first % self._pages, last % self._pages
        spans = [(begin, end)] if begin <= end else [(begin, self._pages), (0, end)]
        for low, high in spans:
            region[low + -low % stride : high : stride] = True
