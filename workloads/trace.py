"""Traces: a migration's snapshots in time order, in a file that describes itself.

A trace file is a ZIP archive of deflated members. ``trace.json`` is the header; every other member
holds the bitmaps of a few snapshots that follow each other, each ``bitmap_bytes`` long, one bit a
page, the lowest address in the least significant bit of the first byte. ``docs/trace-format.md``
has the whole format and a reader of a few lines.
"""

import dataclasses
import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.text import LONGEST_NAME, can_be_shown, shortened
from workloads.guest import GuestMemory
from workloads.trace_header import FORMAT, VERSION, Header, Origin, read_header, version_of

ORIGINS: tuple[Origin, ...] = get_args(Origin)
HEADER = "trace.json"
_HEADER_BYTES = 2**26
"""The most that a header may hold: some 20 bytes a snapshot, and a month of ticks."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a trace comes from.

    Raises:
        BadInput: its name, or that of its condition, cannot be shown.
    """

    name: str
    origin: Origin
    memory: GuestMemory
    condition: str | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Everything that made the trace what it is; JSON values only."""

    def __post_init__(self) -> None:
        for name in (self.name, *([] if self.condition is None else [self.condition])):
            if not (0 < len(name) <= LONGEST_NAME and can_be_shown(name)):
                raise BadInput(
                    f"a trace cannot be called {shortened(name)!r}; give it a name of 1 to "
                    f"{LONGEST_NAME} characters that can all be shown."
                )


@dataclasses.dataclass(frozen=True)
class Trace:
    """A trace file: its header, and its snapshots when they are asked for."""

    path: Path
    source: Source
    ticks_ms: tuple[int, ...]
    """When each snapshot was taken, in milliseconds from the start of the migration."""
    remaining: tuple[int, ...]
    """How many pages are dirty in each snapshot."""
    members: tuple[str, ...]
    snapshots_per_member: int
    bitmaps_hash: str
    """SHA-256 of all bitmaps in time order."""

    def __len__(self) -> int:
        return len(self.ticks_ms)

    @property
    def idle(self) -> bool:
        """Whether not one page is dirty in any snapshot."""
        return not any(self.remaining)

    @property
    def bitmap_bytes(self) -> int:
        """The length of one snapshot's bitmap in bytes."""
        return self.source.memory.bitmap_bytes

    def header(self) -> dict[str, Any]:
        """Return the header as the file holds it, all but its own hash."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.source.name,
            "origin": self.source.origin,
            "condition": self.source.condition,
            "guest_memory_bytes": self.source.memory.size,
            "page_size_bytes": self.source.memory.page_size,
            "bitmap_bytes": self.bitmap_bytes,
            "parameters": dict(self.source.parameters),
            "ticks_ms": list(self.ticks_ms),
            "remaining_pages": list(self.remaining),
            "members": list(self.members),
            "snapshots_per_member": self.snapshots_per_member,
            "bitmaps_sha256": self.bitmaps_hash,
        }

    @property
    def content_hash(self) -> str:
        """SHA-256 of the header, which holds that of the bitmaps: it stands for the whole trace."""
        text = json.dumps(self.header(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def bitmaps(self, chosen: Sequence[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """Yield the bitmaps of the snapshots ``chosen`` (ascending), or of all, in time order.

        Each is a uint8 array of :attr:`bitmap_bytes`, lowest page in the least significant bit.
        Only members of the file that are needed are read, and one of them is held at a time.

        Raises:
            BadInput: the file is damaged.
        """
        held, data = -1, b""
        with _archive(self.path) as archive:
            for index in range(len(self)) if chosen is None else chosen:
                member, place = divmod(index, self.snapshots_per_member)
                if member != held:
                    held, data = member, self._member(archive, member)
                start = place * self.bitmap_bytes
                yield np.frombuffer(data[start : start + self.bitmap_bytes], dtype=np.uint8)

    def _member(self, archive: zipfile.ZipFile, number: int) -> bytes:
        """Read the bitmaps of a member, which has no more and no less than the header says."""
        first = number * self.snapshots_per_member
        snapshots = min(self.snapshots_per_member, len(self) - first)
        name, expected = self.members[number], snapshots * self.bitmap_bytes
        data = _read(archive, self.path, name, expected)
        if len(data) != expected:
            raise damaged(self.path, f"its member {name!r} is cut short")
        return data

    def verify(self) -> None:
        """Read every snapshot and compare all of them with the hash in the header.

        Raises:
            BadInput: they differ.
        """
        digest = hashlib.sha256()
        for bitmap, remaining in zip(self.bitmaps(), self.remaining, strict=True):
            digest.update(bitmap.tobytes())
            if int(np.bitwise_count(bitmap).sum(dtype=np.int64)) != remaining:
                raise damaged(self.path, "a snapshot does not have the dirty pages it should have")
        if digest.hexdigest() != self.bitmaps_hash:
            raise damaged(self.path, "its snapshots do not match its hash")


def open_trace(path: Path) -> Trace:
    """Open a trace file; reads its header alone.

    Raises:
        BadInput: it is missing, truncated, damaged, or of a newer format.
    """
    with _archive(path) as archive:
        text = _read(archive, path, HEADER, _HEADER_BYTES)
    try:
        version = version_of(text)
        if version > VERSION:
            raise BadInput(
                f"trace {path} is of format version {version} and this dirtyscan reads up to "
                f"{VERSION}; install a newer dirtyscan."
            )
        header = read_header(text)
    except ValueError as error:
        raise damaged(path, f"its header cannot be read ({error})") from None
    trace = _from_header(path, header)
    if why := header.contradiction(trace.source.memory.pages):
        raise damaged(path, why)
    if trace.content_hash != header.content_sha256:
        raise damaged(path, "its header does not match its hash")
    return trace


def _from_header(path: Path, header: Header) -> Trace:
    try:
        memory = GuestMemory(header.guest_memory_bytes, header.page_size_bytes)
        source = Source(header.name, header.origin, memory, header.condition, header.parameters)
    except BadInput as error:
        raise damaged(path, f"in its header, {str(error).partition(';')[0]}") from None
    return Trace(
        path,
        source,
        tuple(header.ticks_ms),
        tuple(header.remaining_pages),
        tuple(header.members),
        header.snapshots_per_member,
        header.bitmaps_sha256,
    )


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise BadInput(f"trace {path} is no file; name a trace file.")
        return zipfile.ZipFile(path)
    except OSError as error:
        raise BadInput(
            f"trace {path} cannot be opened ({error.strerror}); check its path."
        ) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error):
        raise damaged(path, "it is truncated, or not a trace at all") from None


def _read(archive: zipfile.ZipFile, path: Path, member: str, most: int) -> bytes:
    """Read a member of at most so many bytes; how many, the archive says before it is read."""
    try:
        if archive.getinfo(member).file_size > most:
            raise damaged(path, f"its member {member!r} is larger than the {most} bytes it may be")
        return archive.read(member)
    except (
        KeyError,
        OSError,
        EOFError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        struct.error,
    ):
        raise damaged(path, f"its member {member!r} is missing or broken") from None


def damaged(path: Path, why: str) -> BadInput:
    """Return the error for a trace file that cannot be trusted."""
    return BadInput(
        f"trace {path} is damaged: {why}; get it again, or make it again with "
        "'dirtyscan trace synthesize'."
    )
