"""The header of a trace file, checked as a whole before anything else is made of it."""

import itertools
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from harness.base.documents import decode_json
from harness.base.text import shortened

FORMAT = "dirtyscan-trace"
VERSION = 1
Origin = Literal["recorded", "synthetic", "captured", "imported"]

_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class Parameter(TypedDict):
    """One of the things that made a trace what it is; a JSON value and its unit."""

    value: Any
    unit: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """``trace.json``; ``docs/trace-format.md`` says what each field means."""

    format: str
    version: int
    name: str
    origin: Origin
    condition: str | None
    guest_memory_bytes: int
    page_size_bytes: int
    bitmap_bytes: _Positive
    parameters: dict[str, Parameter]
    ticks_ms: Annotated[list[_Count], msgspec.Meta(min_length=1)]
    remaining_pages: list[_Count]
    members: list[str]
    snapshots_per_member: _Positive
    bitmaps_sha256: _Hash
    content_sha256: _Hash

    def contradiction(self, pages: int) -> str:
        """Say which fields contradict each other in a guest of ``pages`` pages; empty if none."""
        snapshots = len(self.ticks_ms)
        if self.bitmap_bytes != -(-pages // 8):
            return f"its bitmaps of {self.bitmap_bytes} bytes are not those of {pages} pages"
        if len(self.remaining_pages) != snapshots:
            return f"it has {snapshots} ticks and {len(self.remaining_pages)} counts of dirty pages"
        if any(before >= after for before, after in itertools.pairwise(self.ticks_ms)):
            return "its ticks are not in the order of time"
        if max(self.remaining_pages) > pages:
            return f"a snapshot has more dirty pages than the {pages} of the guest"
        members = -(-snapshots // self.snapshots_per_member)
        if len(self.members) != members or len(set(self.members)) != members:
            return f"its {snapshots} snapshots take {members} members, each of another name"
        return ""


class _Kind(msgspec.Struct, frozen=True):
    """What every version of the format begins with."""

    format: str
    version: int


def version_of(text: bytes) -> int:
    """Return the version of the format that a header is of.

    Raises:
        ValueError: it is no header of a trace.
    """
    kind = decode_json(text, _Kind)
    if kind.format != FORMAT:
        raise ValueError(f"it is the header of something else ({shortened(kind.format)!r})")
    return kind.version


def read_header(text: bytes) -> Header:
    """Read a header of this version.

    Raises:
        ValueError: a field is missing, or cannot be what it is; the text says which and why.
    """
    return decode_json(text, Header)
