"""What a study is: what it measures, and the table that it makes of the rows."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.measurement.request import Request


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may choose of a study; empty stands for the study's own choice."""

    variants: tuple[str, ...]
    toolchains: tuple[str, ...]
    sizes: tuple[int, ...]
    """Guest memory in bytes."""
    precision: float
    seed: int


@dataclasses.dataclass(frozen=True)
class Study:
    """A study that is measured as a run is."""

    request: Callable[[Options], Request]
    """Says what is measured."""
    table: Callable[[pd.DataFrame, Path], pd.DataFrame]
    """Makes the study's table from ``speedups.csv`` and the folder of the results."""
    draw: Callable[[pd.DataFrame], Figure]
    summarize: Callable[[pd.DataFrame], Sequence[Sequence[str]]]
    """The table as a terminal shows it: rows of cells, the first of them the heading."""
