"""Cond3 and Cond4: programs that read, or copy, a file larger than memory through a page cache."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workloads.draws import Draws
from workloads.guest import GuestMemory, Idle, IdleParameters
from workloads.parameters import parameter


@dataclasses.dataclass(frozen=True)
class FileReadParameters(IdleParameters):
    """A sequential read of a file, once."""

    file: float = parameter(
        6.0, unit="share", reason="of guest memory: the letter's 3 GiB file in 512 MiB"
    )
    read_rate: int = parameter(
        64 * 2**20, unit="B/s", minimum=1, reason="one SATA disk of 2010, read sequentially"
    )
    read_ahead: int = parameter(
        128 * 2**10,
        unit="B",
        minimum=1,
        reason="Linux' maximum read-ahead window then and now; a window is filled by one request "
        "into pages that were allocated together",
    )
    fragmentation: float = parameter(
        0.1,
        unit="share",
        reason="of the read-ahead windows that do not lie next to the one before: free memory of a "
        "guest that has just booted is mostly, not wholly, in large blocks",
    )
    reserve: float = parameter(
        1 / 128, unit="share", reason="of guest memory that the kernel keeps free (its watermarks)"
    )
    page_descriptor: int = parameter(
        56,
        unit="B",
        reason="the kernel's record of a page (struct page on x86-64), written whenever the page "
        "enters or leaves the cache; the records lie in one table in the resident pages",
    )

    def make_guest(self, memory: GuestMemory, seed: int) -> "FileReader":
        """See :class:`workloads.guest.GuestParameters`."""
        return FileReader(memory, self, seed)


@dataclasses.dataclass(frozen=True)
class FileCopyParameters(FileReadParameters):
    """A sequential copy of a file: as much is written as is read, through the same cache."""

    read_rate: int = parameter(
        32 * 2**20,
        unit="B/s",
        minimum=1,
        reason="half of what the disk reads alone; the other half is the copy being written",
    )
    metadata: int = parameter(
        1,
        unit="pages/MiB",
        reason="new pages of indirect blocks, bitmaps and journal for each MiB of the copy",
    )
    metadata_hot: int = parameter(
        16,
        unit="pages",
        reason="of metadata, the newest, that stay in use and are written again in every tick",
    )
    write_back: int = parameter(
        5000,
        unit="ms",
        minimum=1,
        reason="between two rounds of write-back (Linux' default for its flusher); a round touches "
        "the record of every page that it writes out, and not the page",
    )

    def make_guest(self, memory: GuestMemory, seed: int) -> "FileCopier":
        """See :class:`workloads.guest.GuestParameters`."""
        return FileCopier(memory, self, seed)


class PageCache:
    """Pages in allocation order, which is also the order in which they are recycled."""

    def __init__(self, first: int, last: int, run: int, fragmentation: float, seed: int) -> None:
        """Hold the pages from ``first`` up to ``last`` in runs of ``run`` pages.

        The runs are in address order but for a share of ``fragmentation`` of them, chosen at
        random, which have changed places with each other.
        """
        self._run = max(1, min(run, last - first))
        runs = (last - first) // self._run
        draws = Draws(seed, "page cache")
        moved = np.sort(draws.permutation(runs)[: int(runs * min(fragmentation, 1.0))])
        order = np.arange(runs, dtype=np.int64)
        order[moved] = moved[draws.permutation(len(moved))]
        self._starts = first + order * self._run
        self._next = 0

    @property
    def pages(self) -> int:
        """How many pages the cache holds when it is full."""
        return len(self._starts) * self._run

    def take(self, count: int) -> NDArray[np.int64]:
        """Allocate ``count`` pages, recycling the oldest once the cache is full."""
        count_kept = min(count, self.pages)
        position = (self._next + (count - count_kept) + np.arange(count_kept)) % self.pages
        self._next = (self._next + count) % self.pages
        return self._starts[position // self._run] + position % self._run


class FileReader:
    """The guest of Cond3 (a :class:`workloads.guest.Guest`)."""

    def __init__(self, memory: GuestMemory, parameters: FileReadParameters, seed: int) -> None:
        self._idle = Idle(memory, parameters, seed)
        self._parameters = parameters
        self._page_size = memory.page_size
        self.uniform = self._idle.uniform
        first = min(self._idle.resident, memory.pages - 1)
        last = max(first + 1, memory.pages - memory.share(parameters.reserve))
        self._window = max(1, parameters.read_ahead // memory.page_size)
        self._cache = PageCache(first, last, self._window, parameters.fragmentation, seed)
        self._file_pages = int(memory.pages * parameters.file)

    def _read(self, now_ms: int) -> int:
        """Return how many pages of the file have been read by ``now_ms``, in whole windows."""
        pages = now_ms * self._parameters.read_rate // 1000 // self._page_size
        return min(pages // self._window * self._window, self._file_pages)

    def _fill(self, pages: NDArray[np.int64], dirty: NDArray[np.bool_]) -> None:
        """Put data into newly allocated ``pages`` and enter them into the page table."""
        dirty[pages] = True
        self.uniform[pages] = False
        self._touch_descriptors(pages, dirty)

    def _touch_descriptors(self, pages: NDArray[np.int64], dirty: NDArray[np.bool_]) -> None:
        records = pages * self._parameters.page_descriptor // self._page_size
        dirty[np.minimum(records, self._idle.resident - 1)] = True

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        """See :class:`workloads.guest.Guest`."""
        self._idle.write(start_ms, end_ms, dirty)
        self._fill(self._cache.take(self._read(end_ms) - self._read(start_ms)), dirty)


class FileCopier(FileReader):
    """The guest of Cond4 (a :class:`workloads.guest.Guest`)."""

    def __init__(self, memory: GuestMemory, parameters: FileCopyParameters, seed: int) -> None:
        super().__init__(memory, parameters, seed)
        self._copy = parameters
        self._metadata = np.empty(0, dtype=np.int64)
        self._unwritten: list[NDArray[np.int64]] = []

    def write(self, start_ms: int, end_ms: int, dirty: NDArray[np.bool_]) -> None:
        """See :class:`workloads.guest.Guest`."""
        self._idle.write(start_ms, end_ms, dirty)
        for copied in range(self._read(start_ms), self._read(end_ms), self._window):
            self._fill(self._cache.take(self._window), dirty)
            target = self._cache.take(self._window)
            self._fill(target, dirty)
            self._unwritten.append(target)
            self._add_metadata(copied, dirty)
        dirty[self._metadata] = True
        if start_ms // self._copy.write_back != end_ms // self._copy.write_back:
            self._write_back(dirty)

    def _add_metadata(self, copied: int, dirty: NDArray[np.bool_]) -> None:
        before, after = (
            pages * self._page_size * self._copy.metadata // 2**20
            for pages in (copied, copied + self._window)
        )
        if after > before:
            pages = self._cache.take(after - before)
            self._fill(pages, dirty)
            newest = np.concatenate([self._metadata, pages])
            self._metadata = newest[max(0, len(newest) - self._copy.metadata_hot) :]

    def _write_back(self, dirty: NDArray[np.bool_]) -> None:
        if self._unwritten:
            self._touch_descriptors(np.concatenate(self._unwritten), dirty)
            self._unwritten.clear()
