"""Tables in CSV files, checked against the dataclass that describes a row when they are read."""

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pandas as pd

from harness.base.documents import convert
from harness.base.errors import BadInput

Positive = Annotated[float, msgspec.Meta(gt=0, le=1e15)]
Whole = Annotated[int, msgspec.Meta(ge=0)]


def read_rows(
    path: Path, kind: type[Any], complete: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Read a table whose rows are ``kind``, a dataclass with a field for each column.

    Args:
        complete: adds the columns that tables of earlier versions lack.

    Returns:
        The table; text that is missing is empty, a number that is missing is NaN.

    Raises:
        OSError: the file cannot be opened.
        BadInput: it is no such table; the sentence says which row, and what was expected there.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    texts = [name for name, hint in hints.items() if _is_text(hint)]
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,
            na_values={name: [""] for name in hints if name not in texts},
        )
        table = complete(table) if complete else table
        if missing := [name for name in hints if name not in table]:
            raise ValueError(f"it has no column {missing[0]}")
        if table.empty:
            raise ValueError("it has no rows")
        columns = table[list(hints)].astype(object)
        records = columns.where(columns.notna(), None).to_dict("records")
        _check(records, kind)
    except (ValueError, OverflowError, MemoryError) as error:  # pandas' own errors are ValueErrors
        raise BadInput(f"{path} is damaged ({_short(error)}); measure anew.") from None
    return table


def read_any(path: Path) -> pd.DataFrame:
    """Read a table whose columns are not known; what is not all numbers is text.

    Raises:
        BadInput: it is no table, or has no rows.
    """
    try:
        table = pd.read_csv(path, low_memory=False)
        if table.empty:
            raise ValueError("it has no rows")
    except (ValueError, OverflowError, MemoryError, OSError) as error:
        raise BadInput(f"{path} is damaged ({_short(error)}); measure anew.") from None
    return table


def _is_text(hint: object) -> bool:
    """Return whether a column holds text, whatever it is restricted to."""
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    return hint is str or typing.get_origin(hint) is typing.Literal


def _check(records: list[dict[Any, Any]], kind: type[Any]) -> None:
    for number, record in enumerate(records, start=1):
        try:
            convert(record, kind)
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def check_interval(row: object) -> None:
    """Check that a row's speedup lies in its interval.

    Raises:
        ValueError: it does not.
    """
    low, value, high = (getattr(row, name) for name in ("speedup_low", "speedup", "speedup_high"))
    if not low <= value <= high:
        raise ValueError(f"a speedup of {value:g} does not lie between {low:g} and {high:g}")
