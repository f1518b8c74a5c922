"""Parameters: a name, a unit, a default and the reason for the default, all in one place.

A set of parameters is a frozen dataclass whose fields are made with :func:`parameter`. What is set
on the command line or in a config file is checked here against those fields.
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.base.units import parse_size

P = TypeVar("P")
Value = int | float | str


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter as a user sees it."""

    name: str
    unit: str
    default: int | float
    minimum: int | float
    maximum: int | float
    reason: str


_MAXIMA: Mapping[str, int | float] = {
    "B": 2**50,
    "B/s": 2**50,
    "ms": 10**9,
    "pages": 10**6,
    "pages/MiB": 256,
    "ticks": 10**6,
    "share": 1e6,
}
"""By unit, what no guest and no migration has more of; beyond it, making a trace would not end."""


def parameter(
    default: int | float,
    *,
    unit: str,
    reason: str,
    minimum: int | float = 0,
    maximum: int | float | None = None,
) -> Any:
    """Declare a dataclass field as a parameter.

    Args:
        default: the value when nothing is set; its type is the type of the parameter.
        unit: ``B``, ``B/s``, ``ms``, ``pages``, ``share`` (a fraction of something named in the
            reason) or another word that a reader understands.
        reason: why the default is what it is.
        minimum: the smallest value allowed.
        maximum: the largest; by default the one of its unit.
    """
    most = _MAXIMA[unit] if maximum is None else maximum
    metadata = {"unit": unit, "reason": reason, "minimum": minimum, "maximum": most}
    return dataclasses.field(default=default, metadata=metadata)


def describe(kind: type[Any]) -> Iterator[Parameter]:
    """Yield every parameter that the dataclass ``kind`` declares."""
    for field in dataclasses.fields(kind):
        if "unit" in field.metadata:
            default = field.default
            assert isinstance(default, (int, float))
            yield Parameter(
                field.name,
                field.metadata["unit"],
                default,
                field.metadata["minimum"],
                field.metadata["maximum"],
                field.metadata["reason"],
            )


def record(values: Any) -> dict[str, dict[str, Value]]:
    """Return ``{name: {"value": ..., "unit": ...}}`` for a trace to carry."""
    return {
        p.name: {"value": getattr(values, p.name), "unit": p.unit} for p in describe(type(values))
    }


def apply(kind: type[P], settings: Mapping[str, Value]) -> P:
    """Return ``kind`` with those of ``settings`` that name one of its parameters.

    Raises:
        BadInput: a value has the wrong type, or is out of the parameter's range.
    """
    known = {p.name: p for p in describe(kind)}
    chosen = {
        name: _convert(known[name], value) for name, value in settings.items() if name in known
    }
    return kind(**chosen)


def _convert(parameter: Parameter, value: Value) -> int | float:
    whole = isinstance(parameter.default, int)
    try:
        if whole and isinstance(value, str) and parameter.unit in ("B", "B/s"):
            number: int | float = parse_size(value.removesuffix("/s"))
        elif whole:
            number = int(value) if isinstance(value, str) else value
        else:
            number = float(value)
    except ValueError:
        number = float("nan")
    if isinstance(number, bool) or (whole and not isinstance(number, int)):
        number = float("nan")
    if not parameter.minimum <= number <= parameter.maximum:
        kind = "a whole number" if whole else "a number"
        shown = shortened(value) if isinstance(value, str) else value
        raise BadInput(
            f"parameter {parameter.name}={shown!r} cannot be used; give {kind} of "
            f"{parameter.unit}, at least {parameter.minimum} and at most {parameter.maximum:g}."
        )
    return number


def parse_assignment(text: str) -> tuple[str, str]:
    """Split ``name=value`` as given to ``--set``.

    Raises:
        BadInput: there is no ``=`` or no name.
    """
    name, equals, value = text.partition("=")
    if not (equals and name.strip()):
        raise BadInput(f"--set {text!r} cannot be read; write NAME=VALUE, for example period=500.")
    return name.strip(), value.strip()


def read_config(path: Path) -> dict[str, dict[str, Value]]:
    """Read a TOML config: top-level settings under ``""``, the others under their table's name.

    Raises:
        BadInput: the file is missing or is not TOML, or holds something else than settings.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"config {path} cannot be read ({error.strerror}); check its path."
        ) from None
    except (ValueError, RecursionError) as error:  # a number of 5000 digits is a ValueError too
        raise BadInput(f"config {path} is not valid TOML: {error}; mend that place.") from None
    tables: dict[str, dict[str, Value]] = {"": {}}
    for key, value in document.items():
        table, settings = (key, value) if isinstance(value, dict) else ("", {key: value})
        for name, setting in settings.items():
            if not isinstance(setting, (int, float, str)):
                raise BadInput(
                    f"config {path} sets {name} to {setting!r}; a setting is one number or size."
                )
        tables.setdefault(table, {}).update(settings)
    return tables
