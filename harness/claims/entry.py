"""Entries of a file of claims, checked field by field before anything is made of them."""

import collections
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from harness.base.documents import convert, decode_toml
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.base.text import shortened, shown

_Text = Annotated[str, msgspec.Meta(max_length=2000)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Place = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_Size = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
_Speedup = Annotated[float, msgspec.Meta(ge=1e-6, le=1e6)]
_LONGEST_RUN = 2**31
_LINES = ("source", "note")
"""Fields that may be written over several lines."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ``[[claim]]`` table; ``claims.toml`` says what each field means."""

    name: _Name
    source: _Text
    date: _Text
    operation: _Name
    original: _Place
    variant: _Place
    note: _Text
    address: _Text = ""
    toolchain: _Name | None = None
    beside: _Name | None = None
    low: _Speedup | None = None
    high: _Speedup | None = None
    figure: _Speedup | None = None
    over: Literal["calls"] | None = None
    conditions: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)] | None = None
    trace: _Place | None = None
    density: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    mean_run: Annotated[float, msgspec.Meta(ge=1, le=_LONGEST_RUN)] | None = None
    run: Annotated[int, msgspec.Meta(ge=1, le=_LONGEST_RUN)] | None = None
    host: Literal["EPT or NPT"] | None = None
    guest_memory: _Size | None = None
    scaled_to: _Size | None = None
    measured: Literal["in a migration"] | None = None

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and shown(text) != text:
                    raise ValueError(f"its {field} has a control character or a line end")
        given = [kind for kind in ("conditions", "trace", "density") if self.has(kind)]
        if len(given) != 1:
            raise ValueError(f"it is about {' and '.join(given) or 'nothing'}; give one workload")
        if self.has("figure") == self.has("low"):
            raise ValueError("it needs either a figure, or a range from low on")
        if self.has("high") and (self.low is None or self.high < self.low):  # type: ignore[operator]
            raise ValueError("its high is below its low, or without one")
        if self.has("beside") and not self.has("toolchain"):
            raise ValueError("its beside goes with a toolchain, which it has not")
        if self.has("over") and not self.has("high"):
            raise ValueError("its over goes with a range from low to high, which it has not")
        of_maps = [
            f for f in ("mean_run", "run", "guest_memory", "scaled_to", "measured") if self.has(f)
        ]
        if of_maps and not self.has("density"):
            raise ValueError(f"its {of_maps[0]} goes with a density, which it has not")
        if self.has("density") and not self.has("guest_memory"):
            raise ValueError("its density needs a guest_memory")
        if self.has("mean_run") and self.has("run"):
            raise ValueError("it has both mean_run and run; give one")

    def has(self, field: str) -> bool:
        """Return whether ``field`` is given."""
        return getattr(self, field) is not None


def read_entries(path: Path) -> list[Entry]:
    """Return the entries of a file of claims, at least one.

    Raises:
        BadInput: the file cannot be read, or an entry in it is none.
    """
    file = f"claims {path.name}"
    try:
        document = decode_toml(read_file(path))
    except ValueError as error:
        raise BadInput(f"{file} cannot be read: {error}; mend that place.") from None
    tables = document.pop("claim", None)
    are_tables = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if document or not tables or not are_tables:
        other = f" but {shortened(next(iter(document)))!r}" if document else ""
        raise BadInput(f"{file} have no [[claim]] tables{other}; see the ones built in.")
    found = [_read(table, path) for table in tables]
    for name, times in collections.Counter(entry.name for entry in found).items():
        if times > 1:
            raise BadInput(f"{file} have {times} claims called {name!r}; call each otherwise.")
    return found


def _read(table: Mapping[str, object], path: Path) -> Entry:
    try:
        return convert({key: _plain(key, value) for key, value in table.items()}, Entry)
    except ValueError as error:
        name = table.get("name")
        where = f"claim {shortened(name) if isinstance(name, str) else '?'!r} in {path.name}"
        raise BadInput(
            f"{where} cannot be used: {error}; claims.toml describes its fields."
        ) from None


def _plain(key: str, value: object) -> object:
    """Return a value of TOML as an entry has it: dates as text, and texts in one line."""
    if key == "date" and isinstance(value, datetime.date):
        return value.isoformat()
    return " ".join(value.split()) if key in _LINES and isinstance(value, str) else value
