"""Entries of a file of claims, checked field by field before anything is made of them."""

import collections
import datetime
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from workloads.errors import BadInput
from workloads.files import read_file
from workloads.text import shortened, shown

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
    low: _Speedup | None = None
    high: _Speedup | None = None
    figure: _Speedup | None = None
    conditions: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)] | None = None
    trace: _Place | None = None
    density: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    mean_run: Annotated[float, msgspec.Meta(ge=1, le=_LONGEST_RUN)] | None = None
    run: Annotated[int, msgspec.Meta(ge=1, le=_LONGEST_RUN)] | None = None
    guest_memory: _Size | None = None
    scaled_to: _Size | None = None

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
        of_maps = [f for f in ("mean_run", "run", "guest_memory", "scaled_to") if self.has(f)]
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
        document = tomllib.loads(read_file(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} are no TOML: {error}; mend that place.") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise BadInput(f"{file} have a number with too many digits; mend it.") from None
    except RecursionError:
        raise BadInput(f"{file} are nested too deeply; see the ones built in.") from None
    entries = document.pop("claim", None)
    if document or not isinstance(entries, list) or not entries:
        other = f" but {shortened(next(iter(document)))!r}" if document else ""
        raise BadInput(f"{file} have no [[claim]] tables{other}; see the ones built in.")
    found = [_read(entry, path) for entry in entries]
    for name, times in collections.Counter(entry.name for entry in found).items():
        if times > 1:
            raise BadInput(f"{file} have {times} claims called {name!r}; call each otherwise.")
    return found


def _read(entry: object, path: Path) -> Entry:
    if not isinstance(entry, Mapping):
        raise BadInput(f"claims {path.name} have no [[claim]] tables; see the ones built in.")
    name = entry.get("name")
    where = f"claim {shortened(name) if isinstance(name, str) else '?'!r} in {path.name}"
    known = {field.name: field.required for field in msgspec.structs.fields(Entry)}
    missing = [name for name, required in known.items() if required and name not in entry]
    unknown = sorted(set(entry) - set(known))
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"has {shortened(unknown[0])}"
        raise BadInput(f"{where} {what}; its fields are those that claims.toml describes.")
    try:
        return msgspec.convert({key: _plain(key, value) for key, value in entry.items()}, Entry)
    except msgspec.ValidationError as error:
        # "Expected `float | null`, got `str` - at `$.figure`" says the same without its marks.
        said = re.sub(r"`(?:\$\.)?| \| null", "", str(error)).replace(" - at ", " in ")
        raise BadInput(f"{where} cannot be used: {said}; mend that field.") from None


def _plain(key: str, value: object) -> object:
    """Return a value of TOML as an entry has it: dates as text, and texts in one line."""
    if key == "date" and isinstance(value, datetime.date):
        return value.isoformat()
    return " ".join(value.split()) if key in _LINES and isinstance(value, str) else value
