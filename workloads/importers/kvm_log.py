"""KVM's dirty logs: bitmaps as ``KVM_GET_DIRTY_LOG`` gives them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.base.units import format_size
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import file_size, in_order, pieces
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_WORD = 8
"""The length in bytes of what bitmaps consist of."""


def memory_of_logs(paths: Sequence[Path], page_size: int) -> GuestMemory:
    """Return the memory of a guest of which each file holds one log.

    A log has whole words of pages: up to 63 of them may be none of the guest's, and are clean.

    Raises:
        BadInput: a file cannot be read or is not whole words, their lengths differ, or no guest is
            so large.
    """
    length = _length(paths)
    if length % _WORD:
        raise BadInput(
            f"{paths[0]} is {length} bytes long, and a dirty log is in words of {_WORD}; give the "
            "files as KVM_GET_DIRTY_LOG fills them."
        )
    try:
        return GuestMemory(length * 8 * page_size, page_size)
    except BadInput as error:
        raise BadInput(f"{paths[0]}: {error}") from None


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
    one or more of them, and the trace says how many. The snapshots are the bitmaps as they are:
    what was written since the one before, ``interval`` ms ago.

    Args:
        paths: in the order of time; see :func:`workloads.inputs.in_order`.
        memory: as somebody says who knows it, or as :func:`memory_of_logs` finds it.

    Raises:
        BadInput: a file cannot be read, or is not as long as whole bitmaps; or their lengths
            differ, as those of memory slots do.
    """
    paths = in_order(paths)
    length, bitmap_bytes = _length(paths), -(-memory.pages // 64) * _WORD
    if length % bitmap_bytes:
        raise BadInput(
            f"{paths[0]} is {length} bytes long, and a dirty log of {memory.pages} pages is "
            f"{bitmap_bytes}, or a multiple of it; give the right --guest-memory and page size."
        )
    many = length // bitmap_bytes
    # A guest of half the memory fits the same files, so what was made of them has to be seen.
    told = f"{'one log' if many == 1 else f'{many} logs'} of a guest of {format_size(memory.size)}"
    values = {"each_file": (told, ""), **interval_value(interval)}
    source = imported(name, memory, "KVM dirty log", paths, values)

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

    return write_trace(output, source, followed(logs(), many * len(paths), report))


def _length(paths: Sequence[Path]) -> int:
    """Return how many bytes each of ``paths`` has."""
    sizes = [_size(path) for path in paths]
    if len(set(sizes)) > 1:
        raise BadInput(
            f"{paths[0]} and the others are of different lengths, as the logs of different memory "
            "slots are; give each with the address of its slot, --slot ADDRESS=FILE."
        )
    return sizes[0]


def _size(path: Path) -> int:
    size = file_size(path)
    if size is None:
        raise BadInput(f"{path} cannot be read (it is a pipe or a device); save it as a file.")
    if size == 0:
        raise BadInput(f"{path} is empty, and no dirty log is; save it again.")
    return size
