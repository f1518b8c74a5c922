"""KVM's dirty logs: bitmaps as ``KVM_GET_DIRTY_LOG`` gives them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import file_size, in_order, pieces
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace


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

    Args:
        paths: in the order of time; see :func:`workloads.inputs.in_order`.

    Raises:
        BadInput: a file cannot be read, or is not as long as whole bitmaps; or their lengths
            differ, as those of memory slots do.
    """
    paths = in_order(paths)
    sizes = {path: file_size(path) for path in paths}
    if len({size for size in sizes.values() if size}) > 1:
        raise BadInput(
            f"{paths[0]} and the others are of different lengths, as the logs of different memory "
            "slots are; give each with the address of its slot, --slot ADDRESS=FILE."
        )
    bitmap_bytes = -(-memory.pages // 64) * 8
    ticks = sum(_logs_in(path, bitmap_bytes, memory) for path in paths)
    source = imported(name, memory, "KVM dirty log", paths, interval_value(interval))

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

    return write_trace(output, source, followed(logs(), ticks, report))


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
