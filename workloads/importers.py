"""Traces from elsewhere: saved migration streams, KVM's dirty logs, lists of pages."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads.capture.rounds import Round, snapshots
from workloads.capture.stream import PAGE_SIZE, RamBlock, StreamDecoder
from workloads.errors import BadInput
from workloads.guest import GuestMemory
from workloads.precopy import PreCopyParameters, Snapshot
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

_CHUNK = 2**20
_PAGES = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)(?:-(0[xX][0-9a-fA-F]+|\d+))?")


def import_stream(path: Path, output: Path, name: str, bandwidth: int) -> Trace:
    """Import a migration stream that QEMU saved (``migrate "exec:cat > FILE"`` or ``file:``).

    A saved stream has no times and no syncs. So a round begins where the addresses start again from
    below, and ticks are those of a migration at ``bandwidth`` bytes a second.

    Raises:
        BadInput: the file cannot be read, or is not such a stream.
    """
    decoder = StreamDecoder()
    try:
        with path.open("rb") as file:
            while data := file.read(_CHUNK):
                decoder.feed(data)
    except OSError as error:
        raise _unreadable(path, error) from None
    decoder.finish()
    block = max(decoder.blocks, key=lambda block: block.pages)
    memory = GuestMemory(block.pages * PAGE_SIZE, PAGE_SIZE)
    sent = np.array(decoder.sent, dtype=np.int64)
    pages, zero = sent >> 1, (sent & 1).astype(np.bool_)
    rounds = rounds_by_address(pages)
    positions = _positions(zero, bandwidth, PreCopyParameters().tick)
    source = _source(name, memory, "migration stream", path, {"bandwidth": (bandwidth, "B/s")})
    return write_trace(output, source, _at_ticks(pages, rounds, positions, block))


def rounds_by_address(pages: NDArray[np.int64]) -> list[Round]:
    """Split what was sent into rounds where the page numbers go down."""
    edges = np.flatnonzero(np.diff(pages) < 0) + 1
    starts = [0, *edges.tolist()]
    ends = [*edges.tolist(), len(pages)]
    return [
        Round(number, start, end, end - start)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
    ]


def _positions(zero: NDArray[np.bool_], bandwidth: int, tick_ms: int) -> list[int]:
    """Return how many pages have been sent at the end of each tick."""
    header = PreCopyParameters().page_header
    cost = np.cumsum(np.where(zero, header + 1, header + PAGE_SIZE))
    share = max(1, bandwidth * tick_ms // 1000)
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
    paths: Sequence[Path], output: Path, name: str, memory: GuestMemory, interval: int
) -> Trace:
    """Import what ``KVM_GET_DIRTY_LOG`` gave, one bitmap for each time it was asked.

    A bitmap is little-endian 64-bit words, one bit a page, filled up to whole words. A file holds
    one or more of them. The snapshots are the bitmaps as they are: what was written since the one
    before, ``interval`` ms ago.

    Raises:
        BadInput: a file cannot be read, or is not as long as whole bitmaps.
    """
    bitmap_bytes = -(-memory.pages // 64) * 8
    for path in paths:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error) from None
        if size == 0 or size % bitmap_bytes:
            raise BadInput(
                f"{path} is {size} bytes long, and a dirty log of {memory.pages} pages is "
                f"{bitmap_bytes}, or a multiple of it; give the right --guest-memory and page size."
            )
    source = _source(name, memory, "KVM dirty log", paths[0], {"interval": (interval, "ms")})

    def logs() -> Iterator[Snapshot]:
        time = 0
        for path in paths:
            with path.open("rb") as file:
                while data := file.read(bitmap_bytes):
                    time += interval
                    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
                    if bits[memory.pages :].any():
                        raise BadInput(
                            f"{path} has a page dirty that is not in guest memory; give the right "
                            "--guest-memory."
                        )
                    yield Snapshot(time, bits[: memory.pages].astype(np.bool_))

    return write_trace(output, source, logs())


def import_page_list(
    path: Path, output: Path, name: str, memory: GuestMemory, interval: int
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
        raise _unreadable(path, error) from None
    source = _source(name, memory, "page list", path, {"interval": (interval, "ms")})
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

    return write_trace(output, source, ticks())


def _pages(word: str, path: Path, line: int, memory: GuestMemory) -> tuple[int, int]:
    match = _PAGES.fullmatch(word)
    if match is None:
        raise BadInput(f"{path}, line {line}: {word!r} is not a page number nor a range of them.")
    first, last = (_number(match.group(n) or match.group(1)) for n in (1, 2))
    if not first <= last < memory.pages:
        raise BadInput(
            f"{path}, line {line}: {word!r} is not in a guest of {memory.pages} pages; give the "
            "right --guest-memory."
        )
    return first, last


def _number(text: str) -> int:
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)


def _source(
    name: str, memory: GuestMemory, kind: str, path: Path, values: dict[str, tuple[int, str]]
) -> Source:
    parameters = {"imported_from": {"value": kind, "unit": ""}}
    parameters |= {"file": {"value": path.name, "unit": ""}}
    more = {key: {"value": value, "unit": unit} for key, (value, unit) in values.items()}
    return Source(name, "imported", memory, None, {**parameters, **more})


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{path} cannot be read ({error.strerror}); check its path.")
