"""Writing a trace file, a snapshot at a time."""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.files import replacing
from workloads.precopy import Snapshot
from workloads.trace import HEADER, Source, Trace, open_trace

_MEMBER_BYTES = 2**22  # what a reader holds at a time, unless one bitmap is larger
_MEMBER_SNAPSHOTS = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same trace makes the same file, whenever it is written


def write_trace(path: Path, source: Source, snapshots: Iterable[Snapshot]) -> Trace:
    """Write ``snapshots`` to ``path`` as they come, and open the result.

    A few snapshots are held at a time, however many there are. The file appears when it is
    complete; an exception from ``snapshots`` leaves what was there before.

    Raises:
        BadInput: the file cannot be written.
    """
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        members = _Members(archive, source.memory.bitmap_bytes)
        ticks, remaining = [], []
        for snapshot in snapshots:
            members.add(snapshot.dirty)
            ticks.append(snapshot.time_ms)
            remaining.append(int(np.count_nonzero(snapshot.dirty)))
        trace = Trace(path, source, tuple(ticks), tuple(remaining), *members.finish())
        header = {**trace.header(), "content_sha256": trace.content_hash}
        _write(archive, HEADER, json.dumps(header, indent=1).encode())
    return open_trace(path)


class _Members:
    """The members of an archive that hold bitmaps."""

    def __init__(self, archive: zipfile.ZipFile, bitmap_bytes: int) -> None:
        self._archive = archive
        self._bitmap_bytes = bitmap_bytes
        self._capacity = max(1, min(_MEMBER_SNAPSHOTS, _MEMBER_BYTES // bitmap_bytes))
        self._digest = hashlib.sha256()
        self._names: list[str] = []
        self._held: list[bytes] = []

    def add(self, dirty: NDArray[np.bool_]) -> None:
        bitmap = np.packbits(dirty, bitorder="little").tobytes()
        if len(bitmap) != self._bitmap_bytes:
            raise ValueError(f"a snapshot of {len(dirty)} pages is not of this guest")
        self._digest.update(bitmap)
        self._held.append(bitmap)
        if len(self._held) == self._capacity:
            self._flush()

    def finish(self) -> tuple[tuple[str, ...], int, str]:
        """Write what is held; return the members' names, snapshots in each, and the hash."""
        if self._held:
            self._flush()
        return tuple(self._names), self._capacity, self._digest.hexdigest()

    def _flush(self) -> None:
        name = f"snapshots/{len(self._names):05d}"
        _write(self._archive, name, b"".join(self._held))
        self._names.append(name)
        self._held.clear()


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, date_time=_EPOCH)
    member.external_attr = 0o644 << 16
    # Level 1: bitmaps of one trace repeat each other, which the fastest level finds as well.
    archive.writestr(member, data, zipfile.ZIP_DEFLATED, compresslevel=1)
