"""Files of QEMU's mapped-ram: every page has its place, and a bitmap says which are there.

The format is that of QEMU's docs/devel/migration/mapped-ram.rst and migration/ram.c: behind the
name and length of each RAM block stands a header with a version, the page size, and where in the
file the block's bitmap and pages are; bitmaps are little-endian words, and all else is big-endian.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from workloads.capture.ram_blocks import Layout, RamBlock, block_values, lay_out
from workloads.capture.stream_configuration import IGNORE_SHARED, MAPPED_RAM, read_configuration
from workloads.capture.stream_parts import (
    PAGE_SIZE,
    Broken,
    NeedMore,
    Unsupported,
    read_name,
    unpack,
)
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import in_order, unreadable
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_HEAD = 2**16
_MEM_SIZE = 0x04
_BEYOND = 2**63  # where no file of Linux has a byte
_COMPARED = 2**12  # pages at a time


@dataclasses.dataclass(frozen=True)
class MappedBlock:
    """Where a RAM block is in a file."""

    block: RamBlock
    bitmap: int
    """Where its bitmap begins, in bytes; 0 if the block is shared and not there."""
    data: int
    """Where its first page is."""


class MappedRam:
    """A file, of which only the bitmaps and what is compared are read.

    Raises:
        BadInput: it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with _opened(path) as file:
                self.blocks = _read_blocks(file)
        except (Broken, Unsupported, NeedMore) as error:
            why = "it ends too early" if isinstance(error, NeedMore) else f"it has {error}"
            raise BadInput(f"{path} is no file of mapped-ram ({why}); save it again.") from None

    def present(self, layout: Layout) -> NDArray[np.bool_]:
        """Return one bool a page of the guest: whether the file has its content.

        Pages of zeros are not in it.
        """
        found = {mapped.block.name: mapped for mapped in self.blocks}
        return np.concatenate([self._bits(found[block.name]) for block in layout.blocks])

    def _bits(self, mapped: MappedBlock) -> NDArray[np.bool_]:
        pages = mapped.block.pages
        with _opened(self.path) as file:
            data = _at(file, self.path, mapped.bitmap, -(-pages // 64) * 8)
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
        return bits[:pages].astype(np.bool_)

    def pages(self, layout: Layout, wanted: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the content of pages of the guest, a row each."""
        found = {mapped.block.name: mapped for mapped in self.blocks}
        places = np.concatenate(
            [
                found[block.name].data + np.arange(block.pages, dtype=np.int64) * PAGE_SIZE
                for block in layout.blocks
            ]
        )
        with _opened(self.path) as file:
            rows = [_at(file, self.path, int(place), PAGE_SIZE) for place in places[wanted]]
        return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, PAGE_SIZE)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise unreadable(path, error) from None


def _at(file: BinaryIO, path: Path, place: int, size: int) -> bytes:
    data = os.pread(file.fileno(), size, place)
    if len(data) < size:
        raise BadInput(f"{path} is cut short; save it again.")
    return data


def _read_blocks(file: BinaryIO) -> list[MappedBlock]:
    head = file.read(_HEAD)
    magic, version = unpack(">II", head, 0, 0)
    if (magic, version) != (0x5145564D, 3):
        raise Broken("no header of QEMU's migration")
    capabilities: frozenset[str] = frozenset()
    position = 8
    if head[position : position + 1] == b"\x07":
        position, capabilities = read_configuration(head, position)
    if MAPPED_RAM not in capabilities:
        raise Broken("no such capability; import it as a stream")
    kind, _section = unpack(">BI", head, position, position)
    name, position = read_name(head, position + 5, position)
    if kind != 1 or name != "ram":
        raise Unsupported(f"a section {name!r} before that of ram")
    (word,) = unpack(">Q", head, position + 8, position)
    if word % PAGE_SIZE != _MEM_SIZE:
        raise Broken("no list of RAM blocks")
    left, first, blocks = word - _MEM_SIZE, 0, []
    place = position + 16
    while left > 0:
        file.seek(place)
        head = file.read(_HEAD)
        name, position = read_name(head, 0, 0)
        (length,) = unpack(">Q", head, position, 0)
        position += 8 + 8 * (IGNORE_SHARED in capabilities)
        version, page_size, bitmap, data = unpack(">IQQQ", head, position, 0)
        if version != 1 or page_size != PAGE_SIZE:
            raise Unsupported(f"version {version} and pages of {page_size} bytes")
        if not 0 < length <= left or length % PAGE_SIZE:
            raise Broken(f"a RAM block {name!r} of {length} bytes")
        if max(bitmap, data + length) >= _BEYOND:
            raise Broken(f"a RAM block {name!r} that lies beyond the end of any file")
        blocks.append(MappedBlock(RamBlock(name, first, length // PAGE_SIZE), bitmap, data))
        first += length // PAGE_SIZE
        left -= length
        place = data + length if data else place + position + 28
    return blocks


def import_mapped_ram(
    paths: Sequence[Path],
    output: Path,
    name: str,
    interval: int,
    report: Report = lambda *_: None,
    wanted: Sequence[str] = (),
) -> Trace:
    """Import files of mapped-ram, a tick each.

    In the first tick the pages that the file has are dirty, which are all but those of zeros: what
    a migration begins with. In each further one those that differ from the file before.

    Args:
        paths: see :func:`workloads.inputs.in_order`.
        wanted: see :func:`workloads.capture.ram_blocks.lay_out`.

    Raises:
        BadInput: a file is none of mapped-ram, or of another guest than the first.
    """
    files = [MappedRam(path) for path in in_order(paths)]
    shared = [mapped.block.name for mapped in files[0].blocks if not mapped.bitmap]
    layout = lay_out([mapped.block for mapped in files[0].blocks], wanted, shared)
    for file in files[1:]:
        if [m.block for m in file.blocks] != [m.block for m in files[0].blocks]:
            raise BadInput(
                f"{file.path} has other RAM blocks than {files[0].path}, so it is of another "
                "guest; give the files of one."
            )
    memory = GuestMemory(layout.pages * PAGE_SIZE, PAGE_SIZE)
    values = {**block_values(layout, ()), **interval_value(interval)}
    source = imported(name, memory, "mapped-ram", [file.path for file in files], values)

    def snapshots() -> Iterator[Snapshot]:
        before, there_before = files[0], files[0].present(layout)
        yield Snapshot(interval, there_before)
        for tick, file in enumerate(files[1:], start=2):
            there = file.present(layout)
            yield Snapshot(tick * interval, _changed(before, there_before, file, there, layout))
            before, there_before = file, there

    return write_trace(output, source, followed(snapshots(), len(files), report))


def _changed(
    before: MappedRam,
    there_before: NDArray[np.bool_],
    after: MappedRam,
    there: NDArray[np.bool_],
    layout: Layout,
) -> NDArray[np.bool_]:
    """Return one bool a page: whether its content differs between two files."""
    changed = there_before ^ there
    both = np.flatnonzero(there_before & there)
    for start in range(0, len(both), _COMPARED):
        pages = both[start : start + _COMPARED]
        differ = (before.pages(layout, pages) != after.pages(layout, pages)).any(axis=1)
        changed[pages[differ]] = True
    return changed
