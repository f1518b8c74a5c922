"""What is read off the rows of one ``speedups.csv``."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that say something of a variant's speed.

    A noise floor's does not, nor that of a variant whose cost is paid in other operations.
    """
    return rows[~rows["noise_floor"] & (rows["paid_in"] == "")]


def named_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``rows`` in which no two variants beside one original are called the same.

    What several toolchains have made of a variant has theirs in its name: that of one in Rust, if
    others than one of Rust take part beside one of C.
    """
    several = rows.groupby(["original_toolchain", "variant"])["toolchain"].transform("nunique") > 1
    names = rows["variant"] + " (" + rows["toolchain"] + ")"
    return rows.assign(variant=rows["variant"].mask(several, names))


def misses_one(row: Mapping[Any, Any]) -> bool:
    """Return whether a noise floor's row is not 1, however many rows there are beside it.

    Of eight intervals that each hold 1 in 95 of 100 runs one misses it in a third of all runs; one
    that is half as wide again does in some three of a hundred runs.
    """
    low, value, high = (row[name] for name in ("speedup_low", "speedup", "speedup_high"))
    if not low > 0:
        return False  # of a single process
    return bool(value * (low / value) ** 1.5 > 1 or value * (high / value) ** 1.5 < 1)


def half_width(row: Mapping[Any, Any], of: str = "speedup") -> float:
    """Return half the width of an interval, ``speedup`` or ``quiet``, as a share of its value."""
    return float((row[f"{of}_high"] / row[f"{of}_low"]) ** 0.5 - 1)
