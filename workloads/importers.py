"""Traces from elsewhere: saved migration streams, KVM's dirty logs, lists of pages."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.text import shortened, shown
from harness.base.units import format_size
from workloads.capture.rounds import Round, snapshots
from workloads.capture.stream import PAGE_SIZE, RamBlock, StreamDecoder
from workloads.guest import GuestMemory
from workloads.inputs import file_size, pieces, unreadable
from workloads.precopy import PreCopyParameters, Snapshot
from workloads.synthesis import Report
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

_CHUNK = 2**20
_NUMBER = r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})"  # more digits than the page of any guest has
_PAGES = re.compile(f"{_NUMBER}(?:-{_NUMBER})?")
_MOST_BANDWIDTH = 2**40  # bytes a second, of which no link is near
_LONGEST_INTERVAL = 24 * 3600 * 1000  # ms


def import_stream(
    path: Path, output: Path, name: str, bandwidth: int, report: Report = lambda *_: None
) -> Trace:
    """Import a migration stream that QEMU saved (``migrate "exec:cat > FILE"`` or ``file:``).

    A saved stream has no times and no syncs. So a round begins where the addresses start again from
    below, and ticks are those of a migration at ``bandwidth`` bytes a second.

    Args:
        report: follows it; see :func:`workloads.synthesis.synthesize`.

    Raises:
        BadInput: the file cannot be read, or is not such a stream; or the bandwidth is one that no
            migration has.
    """
    share = _tick_bytes(bandwidth)
    decoder = StreamDecoder()
    for data in pieces(path, _CHUNK, report):
        decoder.feed(data)
    decoder.finish()
    block = max(decoder.blocks, key=lambda block: block.pages)
    try:
        memory = GuestMemory(block.pages * PAGE_SIZE, PAGE_SIZE)
    except BadInput as error:
        raise BadInput(f"{path}, RAM block {block.name!r}: {error}") from None
    sent = np.array(decoder.sent, dtype=np.int64)
    pages, zero = sent >> 1, (sent & 1).astype(np.bool_)
    rounds = rounds_by_address(pages)
    positions = _positions(zero, share)
    source = _source(name, memory, "migration stream", path, {"bandwidth": (bandwidth, "B/s")})
    taken = _at_ticks(pages, rounds, positions, block)
    return write_trace(output, source, _followed(taken, len(positions), report))


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


def _at_ticks(
    pages: NDArray[np.int64], rounds: Sequence[Round], positions: Sequence[int], block: RamBlock
) -> Iterator[Snapshot]:
    tick = PreCopyParameters().tick
    maps = snapshots(pages, rounds, positions, block.first_page, block.pages)
    for number, dirty in enumerate(maps, start=1):
        yield Snapshot(number * tick, dirty)


def import_kvm_log(
    paths: Sequence[Path],
    output: Path,
    name: str,
    memory: GuestMemory,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import what ``KVM_GET_DIRTY_LOG`` gave, one bitmap for each time it was asked.

    A bitmap is little-endian 64-bit words, one bit a page, filled up to whole words. A file holds
    one or more of them. The snapshots are the bitmaps as they are: what was written since the one
    before, ``interval`` ms ago.

    Raises:
        BadInput: a file cannot be read, or is not as long as whole bitmaps.
    """
    bitmap_bytes = -(-memory.pages // 64) * 8
    ticks = sum(_logs_in(path, bitmap_bytes, memory) for path in paths)
    source = _source(name, memory, "KVM dirty log", paths[0], _interval(interval))

    def logs() -> Iterator[Snapshot]:
        time = 0
        for path in paths:
            for data in pieces(path, bitmap_bytes):
                time += interval
                bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
                if len(data) < bitmap_bytes:
                    raise BadInput(f"{path} became shorter while it was read; import it again.")
                if bits[memory.pages :].any():
                    raise BadInput(
                        f"{path} has a page dirty that is not in guest memory; give the right "
                        "--guest-memory."
                    )
                yield Snapshot(time, bits[: memory.pages].astype(np.bool_))

    return write_trace(output, source, _followed(logs(), ticks, report))


def _logs_in(path: Path, bitmap_bytes: int, memory: GuestMemory) -> int:
    size = file_size(path)
    if size is None:
        raise BadInput(f"{path} cannot be read (it is a pipe or a device); save it as a file.")
    if size == 0 or size % bitmap_bytes:
        raise BadInput(
            f"{path} is {size} bytes long, and a dirty log of {memory.pages} pages is "
            f"{bitmap_bytes}, or a multiple of it; give the right --guest-memory and page size."
        )
    return size // bitmap_bytes


def import_page_list(
    path: Path,
    output: Path,
    name: str,
    memory: GuestMemory,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import a text with one line for each tick: the numbers of the pages that are dirty.

    Numbers are decimal or begin with 0x and stand apart by spaces or commas; ``8-15`` is all from 8
    to 15. An empty line is a tick without a dirty page, and what follows ``#`` is a comment; a line
    that is only a comment is no tick.

    Raises:
        BadInput: the file cannot be read, or a line cannot.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text; give a list of page numbers.") from None
    except OSError as error:
        raise unreadable(path, error) from None
    source = _source(name, memory, "page list", path, _interval(interval))
    wanted = [(n, line) for n, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    if not wanted:
        raise BadInput(f"{path} has no ticks; give one line of page numbers for each tick.")

    def ticks() -> Iterator[Snapshot]:
        for tick, (number, line) in enumerate(wanted, start=1):
            dirty = np.zeros(memory.pages, dtype=np.bool_)
            for word in line.partition("#")[0].replace(",", " ").split():
                first, last = _pages(word, path, number, memory)
                dirty[first : last + 1] = True
            yield Snapshot(tick * interval, dirty)

    return write_trace(output, source, _followed(ticks(), len(wanted), report))


def _pages(word: str, path: Path, line: int, memory: GuestMemory) -> tuple[int, int]:
    match = _PAGES.fullmatch(word)
    where = f"{path}, line {line}: {shortened(word)!r}"
    if match is None:
        raise BadInput(f"{where} is not a page number nor a range of them; mend that line.")
    first, last = (_number(match.group(n) or match.group(1)) for n in (1, 2))
    if first > last:
        raise BadInput(f"{where} is a range from its end to its start; turn it round.")
    if last >= memory.pages:
        remedy = "give the right --guest-memory"
        if first % memory.page_size == 0 and {last % memory.page_size} <= {0, memory.page_size - 1}:
            remedy += f", or, if these are addresses, divide them by {memory.page_size}"
        raise BadInput(f"{where} is not in a guest of {memory.pages} pages; {remedy}.")
    return first, last


def _number(text: str) -> int:
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)


def _source(
    name: str, memory: GuestMemory, kind: str, path: Path, values: dict[str, tuple[int, str]]
) -> Source:
    parameters = {"imported_from": {"value": kind, "unit": ""}}
    parameters |= {"file": {"value": shown(path.name), "unit": ""}}
    more = {key: {"value": value, "unit": unit} for key, (value, unit) in values.items()}
    return Source(name, "imported", memory, None, {**parameters, **more})


def _interval(interval: int) -> dict[str, tuple[int, str]]:
    """Return the time between two ticks as a parameter of a trace.

    Raises:
        BadInput: there is none, or nobody would have waited for so long.
    """
    if not 0 < interval <= _LONGEST_INTERVAL:
        raise BadInput(f"--interval must be from 1 to {_LONGEST_INTERVAL} ms; give the real one.")
    return {"interval": (interval, "ms")}


def _followed(snapshots: Iterator[Snapshot], ticks: int, report: Report) -> Iterator[Snapshot]:
    for number, snapshot in enumerate(snapshots, start=1):
        yield snapshot
        report("ticks", number, ticks)
