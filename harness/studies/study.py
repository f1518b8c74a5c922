"""What a study is: how its question is answered, and how the answer is shown."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.claims.claim import Claim
from harness.machine.virtualization import host_in_words, read_virtualization
from harness.measurement.request import Request
from harness.native.operation import find_operation
from harness.presentation.table import Table, format_short
from harness.session.session import Session
from workloads.draws import DEFAULT_SEED


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may choose of a study; empty stands for the study's own choice."""

    variants: tuple[str, ...] = ()
    toolchains: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    """Guest memory in bytes."""
    operations: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    precision: float = 0.01
    seed: int = DEFAULT_SEED


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """What the page shows of a study, and the picture in it."""

    title: str
    said: str
    """What to see, in two sentences."""
    draw: Callable[[pd.DataFrame], Figure]
    shown: tuple[str, ...]
    """The columns that hovering over a point of the picture shows."""
    figures: Callable[[pd.DataFrame], Table]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What of a study stands beside the same of another CPU, in a line for each of ``keys``."""

    keys: tuple[str, ...]
    """The columns of the study's table that say what a line is of."""
    said: Callable[[pd.DataFrame], str]
    """Says in a cell what came out, of the rows of a line."""

    def lines(self, found: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield what each line is of, and what it says."""
        for names, rows in found.groupby(list(self.keys), sort=False):
            yield tuple(map(str, names)), self.said(rows)


@dataclasses.dataclass(frozen=True)
class Study:
    """How a question is answered."""

    measure: Callable[[Options, Session], pd.DataFrame]
    """Measures, and makes the study's table of what came out."""
    summary: Callable[[pd.DataFrame], Table]
    """Makes of it what a terminal shows."""
    exhibit: Exhibit | None
    """None if it has no picture."""
    document: Callable[[pd.DataFrame], Table] | None
    """Makes of it what the documentation shows, if that is more than a terminal has room for."""
    outcome: Outcome | None
    """None where the CPU decides nothing, the host's virtualization does, or a table of its own
    has it."""


def measured_once(
    request: Callable[[Options], Request], table: Callable[[pd.DataFrame, Path], pd.DataFrame]
) -> Callable[[Options, Session], pd.DataFrame]:
    """Return what measures a study in one run.

    Args:
        table: makes the study's table of ``speedups.csv`` and the folder of the run.
    """

    def measure(options: Options, session: Session) -> pd.DataFrame:
        run = session.run(request(options))
        return table(run.rows, run.folder)

    return measure


def reach_of(values: pd.Series) -> str:
    """Say how far ``values`` reach."""
    return f"{format_short(values.min())} to {format_short(values.max())}"


def with_originals(rows: pd.DataFrame, keys: list[str], operation: str) -> pd.DataFrame:
    """Return ``rows`` of an operation behind those of its originals, one for each of ``keys``."""
    first = rows.drop_duplicates(keys)
    originals = first.assign(
        variant=first["original"],
        map=find_operation(operation).original_map,
        bound=False,
        variant_seconds=first["original_seconds"],
        speedup=1.0,
        speedup_low=1.0,
        speedup_high=1.0,
    )
    return pd.concat([originals, rows], ignore_index=True)


def on_host(found: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a study of the kernel with what it was measured on, in every row."""
    host = read_virtualization()
    return found.assign(nested=host["nested"], host=host_in_words(host))


def where_measured(found: pd.DataFrame) -> str:
    """Say where such a study was measured, and how far that goes."""
    beside = "; not to be put beside figures of a host that is no virtual machine"
    return f"Measured {found['host'].iloc[0]}{beside if found['nested'].iloc[0] else ''}."
