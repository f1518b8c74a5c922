"""Diff snapshots of Firecracker: sparse files that hold the pages written since the one before."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import data_pages, file_size, in_order, unreadable
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace


def import_diff_snapshots(
    paths: Sequence[Path],
    output: Path,
    name: str,
    page_size: int,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import the memory files of diff snapshots, a tick each: what is no hole was dirty.

    Each file is as long as guest memory (Firecracker: docs/snapshotting/snapshot-support.md). A
    file system keeps holes of whole blocks, so a page is dirty if any byte of it is there.

    Args:
        paths: see :func:`workloads.inputs.in_order`.

    Raises:
        BadInput: a file cannot be read, their lengths differ, or none has a hole.
    """
    paths = in_order(paths)
    sizes = [file_size(path) or 0 for path in paths]
    if len(set(sizes)) > 1:
        raise BadInput(
            f"{paths[0]} and the others are of different lengths, so they are not of one guest; "
            "give the memory files of one."
        )
    memory = GuestMemory(sizes[0], page_size)
    source = imported(name, memory, "diff snapshots", paths, interval_value(interval))

    def snapshots() -> Iterator[Snapshot]:
        holes = False
        for tick, path in enumerate(paths, start=1):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise unreadable(path, error) from None
            try:
                dirty = data_pages(descriptor, sizes[0], page_size)
            finally:
                os.close(descriptor)
            holes |= not dirty.all()
            if tick == len(paths) and not holes:
                raise BadInput(
                    f"{path} has no hole, so that nothing says which pages were written; give the "
                    "files as Firecracker wrote them (a copy keeps holes with 'cp --sparse=auto')."
                )
            yield Snapshot(tick * interval, dirty)

    return write_trace(output, source, followed(snapshots(), len(paths), report))
