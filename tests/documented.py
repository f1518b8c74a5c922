"""The figures that documents give, each written anew from the committed table that it comes from.

A function a document yields its sentences and lines of tables with figures; where a table is
measured anew, the test says which sentence has to be in the document now. What is no figure of a
table, and why, is in ``NOT_MEASURED``.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.results.result import SPEEDUPS, read_table

RESULTS = Path(__file__).parent.parent / "results"
ZEN5, ZEN4, ZEN3 = "amd-epyc-26-2", "amd-epyc-25-17", "amd-epyc-25-1"
INTEL = "intel-xeon-processor"
AGAIN, BETWEEN = f"{ZEN5}-again", f"{ZEN5}-between"
ZEN4_AGAIN = f"{ZEN4}-again"
CONDITIONS = ("cond1", "cond2", "cond3", "cond4")
NAMES = ("Cond1, contiguous writes", "Cond2, alternating pages", "Cond3, reading a file",
         "Cond4, reading and writing")  # fmt: skip
RANGES = ("8 to 16", "0.25 to 0.33", "8 to 16", "2 to 16")
METHODS = ("in turns", "sequential")
Sentences = Iterator[str]


@functools.cache
def speedups(result: str) -> pd.DataFrame:
    return read_table(RESULTS / result, SPEEDUPS)


@functools.cache
def study(name: str, of: str = ZEN5) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{of}-{name}" / f"{name}.csv")


def pick(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows), wanted
    return rows


def one(rows: pd.DataFrame, **wanted: object) -> Any:
    (record,) = pick(rows, **wanted).to_dict("records")
    return record


def patch(condition: str, origin: str, result: str = ZEN5) -> Any:
    return one(speedups(result), condition=condition, origin=origin, variant="multi_page")


def digits(value: float, count: int = 2) -> str:
    """Write ``value`` with so many digits that say something, and no exponent."""
    return np.format_float_positional(
        float(f"{value:.{count}g}"), trim="k", min_digits=None
    ).removesuffix(".")


def span(values: ArrayLike, form: str = ".2g") -> str:
    found = np.asarray(values, dtype=float)
    return f"{found.min():{form}} to {found.max():{form}}"


def half(row: Any) -> str:
    reach = (row["speedup_high"] - row["speedup_low"]) / 2 / row["speedup"]
    return f"±{100 * reach:#.2g} %"


def as_words(values: Iterable[float]) -> str:
    """Write what the four conditions gave."""
    *others, last = (f"{value:.2f}" for value in values)
    return f"{', '.join(others)} and {last}"


def runs(method: str, of: str = ZEN4, kept: str = "doctor") -> pd.DataFrame:
    """Return the runs of ``dirtyscan doctor``."""
    return pick(pd.read_csv(RESULTS / f"{of}-{kept}" / "runs.csv"), method=method)


def spread(method: str, of: str) -> float:
    """Return how far apart the runs of a method lie, in percent."""
    found = runs(method, of)["speedup"]
    return 100 * (float(found.max() / found.min()) - 1)


def against_itself() -> tuple[pd.DataFrame, int]:
    """Return the runs of the original against itself, and in how many the interval contains 1."""
    rows = runs("against itself")
    return rows, int(((rows["speedup_low"] <= 1) & (rows["speedup_high"] >= 1)).sum())


def of_gcc() -> pd.DataFrame:
    rows = speedups(f"{ZEN5}-variants")
    return rows[~rows["noise_floor"] & (rows["original_toolchain"] == "cc-era")]


NOT_MEASURED: Mapping[str, tuple[str, ...]] = {
    "the letter's figures": (
        "8 to 16", "2 to 16", "3 to 4 times", "0.25 to 0.33", "2.66 GHz", "9.10", "2.6.26", "beyond 8 times",
    ),
    "what dirtyscan does or is asked for": (
        "100 ms", "95 %", "60 s", "150 s", "in 20 s", "every 20 ms", "within 10 s", "0.5 GB", "0.6 MiB",
        "±0.5 %", "a chance of 1 %", "chance of 1 % is", "more than 2 %", "more than 1 %", "more than 5 %",
        "more than 10 ms", "a round of 8 s", "| 1 % |", "| 5 % |", "2 % of its words", "26,214 pages", "within 0.5 % of 1", "whether they agree within 0.5 %",
        "of version 0.1 as well", "the same speedups within 5 %",
        "the variants' within 10 %", "chance of 0.1 %", "changes of 1 % or more",
        "a step of 3 %", "at 0.1 %", "at 1 %", "1 % of random pages",
        "at 0.1 % of random pages",
    ),
    "said by 'dirtyscan results verify' of the committed results": (
        "3.4 % apart at most", "5.7 % in one of version 0.1", "up to 3.1 % apart",
    ),
    "published by others": ("260 ns a page",),
    "versions": (
        r"Python 3\.\d+", r"QEMU \d+\.\d+", r"Linux \d+\.\d+",
    ),
    "simulated by tests/test_statistics.py and tests/test_placement.py": (
        "bursts into 5 % of the calls", "up to 100 times as long", "in 92 to 98 %", "takes 1.8 times as long", "in 74 to 93 %", "in 0 to 86 %",
        "covers 92 to 98",
    ),
    "counted by machine code, the same everywhere": ("9 instructions a page",),
    "in words of what the table beside it has": (
        "is within 2 % of reading", "its original is 1.5 times as fast",
    ),
}  # fmt: skip
"""What looks like a measured figure and is none, as regular expressions, by the reason."""
