"""CRIU's pre-dumps: the pages of a process that were written since the one before.

A pagemap image begins with two magic numbers; then come records, each its length and a protobuf
message: first a head, then ranges of pages (CRIU: images/pagemap.proto, criu/include/magic.h).
"""

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.base.units import format_size
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import in_order
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_MAGICS = (0x54564319, 0x56084025)
_ADDRESS, _FEW_PAGES, _IN_PARENT, _FLAGS, _PAGES = 1, 2, 3, 4, 5
_PARENT = 1
_VARINT = 0
_MOST_RANGES = 6  # that are written out


@dataclasses.dataclass(frozen=True)
class PageRange:
    """Pages of a process that follow each other."""

    first: int
    """The address of the first, divided by the size of a page."""
    pages: int
    dirty: bool
    """Whether they are in this dump, and not in the one before."""


def read_pagemap(path: Path, page_size: int) -> list[PageRange]:
    """Return the ranges of a pagemap image (``pagemap-PID.img``).

    Raises:
        BadInput: it cannot be read, or is none.
    """
    data = read_file(path)
    if len(data) < 8 or struct.unpack_from("<II", data) != _MAGICS:
        raise BadInput(
            f"{path} is no pagemap image of CRIU; give the pagemap-PID.img of each pre-dump."
        )
    ranges, position, number = [], 8, 0
    try:
        while position < len(data):
            (length,) = struct.unpack_from("<I", data, position)
            record = data[position + 4 : position + 4 + length]
            if len(record) < length:
                raise ValueError("it is cut short")
            position += 4 + length
            if number:  # the first is the head
                ranges.append(_page_range(_fields(record), page_size))
            number += 1
    except (ValueError, struct.error) as error:
        raise BadInput(f"{path} is broken in record {number} ({error}); dump it again.") from None
    return ranges


def _page_range(fields: dict[int, int], page_size: int) -> PageRange:
    address, pages = fields.get(_ADDRESS), fields.get(_PAGES, fields.get(_FEW_PAGES, 0))
    if address is None or address % page_size or not 0 < pages < 2**40 or address >= 2**64:
        raise ValueError("a range of no pages, or of pages of another size")
    in_parent = fields.get(_IN_PARENT, 0) or fields.get(_FLAGS, 0) & _PARENT
    return PageRange(address // page_size, pages, not in_parent)


def _fields(record: bytes) -> dict[int, int]:
    """Return the numbers in a protobuf message, which pagemaps alone are made of."""
    fields, position = {}, 0
    while position < len(record):
        key, position = _varint(record, position)
        if key & 7 != _VARINT:
            raise ValueError(f"field {key >> 3} is no number")
        fields[key >> 3], position = _varint(record, position)
    return fields


def _varint(record: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(record):
            raise ValueError("a number without end")
        value |= (record[position] & 0x7F) << shift
        position += 1
        if record[position - 1] < 0x80:
            return value, position
    raise ValueError("a number of more than 64 bits")


def import_pagemaps(
    paths: Sequence[Path],
    output: Path,
    name: str,
    page_size: int,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import the pagemaps of pre-dumps of one process, a tick each.

    The guest's memory is what any of them has, in the order of addresses; the holes between are
    left out. Dirty are the pages in a dump that are not taken from its parent.

    Args:
        paths: see :func:`workloads.inputs.in_order`.

    Raises:
        BadInput: a file cannot be read or is no pagemap, or there is too little or much memory.
    """
    paths = in_order(paths)
    dumps = [read_pagemap(path, page_size) for path in paths]
    spans = _joined([r for dump in dumps for r in dump])
    pages = sum(end - start for start, end in spans)
    try:
        memory = GuestMemory(pages * page_size, page_size)
    except BadInput as error:
        raise BadInput(f"{paths[0]}: {error}") from None
    starts = np.array([start for start, _ in spans], dtype=np.uint64)
    sizes = np.array([end - start for start, end in spans], dtype=np.int64)
    places = np.concatenate([[0], np.cumsum(sizes)])
    told = [
        f"{start * page_size:#x} ({format_size((end - start) * page_size)})"
        for start, end in spans[:_MOST_RANGES]
    ]
    if len(spans) > _MOST_RANGES:
        told.append(f"and {len(spans) - _MOST_RANGES} more")
    values = {"ranges": (", ".join(told), ""), **interval_value(interval)}
    source = imported(name, memory, "CRIU pagemaps", paths, values)

    def snapshots() -> Iterator[Snapshot]:
        for tick, dump in enumerate(dumps, start=1):
            dirty = np.zeros(pages, dtype=np.bool_)
            for r in dump:
                span = int(np.searchsorted(starts, np.uint64(r.first), side="right")) - 1
                place = int(places[span]) + r.first - spans[span][0]
                dirty[place : place + r.pages] |= r.dirty
            yield Snapshot(tick * interval, dirty)

    return write_trace(output, source, followed(snapshots(), len(dumps), report))


def _joined(ranges: Sequence[PageRange]) -> list[tuple[int, int]]:
    """Return what ``ranges`` cover as [start, end) in order, without overlaps."""
    spans: list[tuple[int, int]] = []
    for r in sorted(ranges, key=lambda r: r.first):
        end = r.first + r.pages
        if spans and r.first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((r.first, end))
    return spans
