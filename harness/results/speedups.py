"""What is read off the rows of one ``speedups.csv``."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that say something of a variant's speed.

    A noise floor's does not, nor that of a variant whose cost is paid in other operations.
    """
    return rows[~rows["noise_floor"] & (rows["paid_in"] == "")]


def half_width(row: Mapping[Any, Any]) -> float:
    """Return half the width of a speedup's interval, as a share of the speedup."""
    return float((row["speedup_high"] / row["speedup_low"]) ** 0.5 - 1)
