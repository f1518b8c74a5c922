"""A migration stream of QEMU that somebody has saved."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.units import format_size
from workloads.capture.ram_blocks import block_values, lay_out
from workloads.capture.rounds import Round, snapshots
from workloads.capture.stream import StreamDecoder
from workloads.capture.stream_configuration import IGNORE_SHARED
from workloads.capture.stream_parts import PAGE_SIZE
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported
from workloads.inputs import pieces
from workloads.precopy import PreCopyParameters, Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_CHUNK = 2**20
_MOST_BANDWIDTH = 2**40  # bytes a second, of which no link is near


def import_stream(
    path: Path,
    output: Path,
    name: str,
    bandwidth: int,
    report: Report = lambda *_: None,
    blocks: Sequence[str] = (),
) -> Trace:
    """Import a migration stream that QEMU saved (``migrate "exec:cat > FILE"`` or ``file:``).

    A saved stream has no times and no syncs. So a round begins where the addresses start again from
    below, and ticks are those of a migration at ``bandwidth`` bytes a second.

    Args:
        report: follows it; see :func:`workloads.synthesis.synthesize`.
        blocks: the RAM blocks that are the guest's memory, in the order of addresses; by default
            they are told by their names (:func:`workloads.capture.ram_blocks.lay_out`).

    Raises:
        BadInput: the file cannot be read, or is not such a stream; or the bandwidth is one that no
            migration has.
    """
    share = _tick_bytes(bandwidth)
    decoder = StreamDecoder()
    for data in pieces(path, _CHUNK, report):
        decoder.feed(data)
    decoder.finish()
    sent = np.array(decoder.sent, dtype=np.int64)
    pages, zero = sent >> 1, (sent & 1).astype(np.bool_)
    layout = lay_out(decoder.blocks, blocks, never_sent(decoder, pages))
    try:
        memory = GuestMemory(layout.pages * PAGE_SIZE, PAGE_SIZE)
    except BadInput as error:
        names = ", ".join(repr(block.name) for block in layout.blocks)
        raise BadInput(f"{path}, RAM block {names}: {error}") from None
    rounds = rounds_by_address(pages)
    positions = _positions(zero, share)
    values = {"bandwidth": (bandwidth, "B/s"), **block_values(layout, decoder.passed_over)}
    source = imported(name, memory, "migration stream", [path], values)
    maps = snapshots(layout.in_guest(pages), rounds, positions, layout.pages)
    return write_trace(output, source, followed(_at_ticks(maps), len(positions), report))


def never_sent(decoder: StreamDecoder, pages: NDArray[np.int64]) -> list[str]:
    """Return the names of the blocks that x-ignore-shared left out of the stream.

    Of any other, all pages are sent in the first round.
    """
    if IGNORE_SHARED not in decoder.capabilities:
        return []
    starts = np.array([block.first_page for block in decoder.blocks], dtype=np.int64)
    there = set(np.unique(np.searchsorted(starts, pages, side="right") - 1).tolist())
    return [block.name for n, block in enumerate(decoder.blocks) if n not in there]


def _tick_bytes(bandwidth: int) -> int:
    """Return how many bytes a migration at ``bandwidth`` bytes a second sends in a tick.

    Raises:
        BadInput: that is not even a page, so that most ticks would be the same; or no link has it.
    """
    parameters = PreCopyParameters()
    fewest = (parameters.page_header + PAGE_SIZE) * 1000 // parameters.tick
    if not fewest <= bandwidth <= _MOST_BANDWIDTH:
        raise BadInput(
            f"--bandwidth must be from {format_size(fewest)}, a page a tick, to "
            f"{format_size(_MOST_BANDWIDTH)} a second; give that of the migration."
        )
    return bandwidth * parameters.tick // 1000


def rounds_by_address(pages: NDArray[np.int64]) -> list[Round]:
    """Split what was sent into rounds where the page numbers go down."""
    edges = np.flatnonzero(np.diff(pages) < 0) + 1
    starts = [0, *edges.tolist()]
    ends = [*edges.tolist(), len(pages)]
    return [
        Round(number, start, end, end - start)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
    ]


def _positions(zero: NDArray[np.bool_], share: int) -> list[int]:
    """Return how many pages have been sent at the end of each tick of ``share`` bytes."""
    header = PreCopyParameters().page_header
    cost = np.cumsum(np.where(zero, header + 1, header + PAGE_SIZE))
    ticks = -(-int(cost[-1]) // share) if len(cost) else 1
    wanted = np.arange(1, ticks + 1, dtype=np.int64) * share
    return [int(position) for position in np.searchsorted(cost, wanted, side="right")]


def _at_ticks(maps: Iterator[NDArray[np.bool_]]) -> Iterator[Snapshot]:
    tick = PreCopyParameters().tick
    for number, dirty in enumerate(maps, start=1):
        yield Snapshot(number * tick, dirty)
