"""A section of the page: a picture and its figures, for every result that has their data."""

import dataclasses
from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.table import Table
from harness.report.stored import Stored
from harness.studies import load_study, questions


@dataclasses.dataclass(frozen=True)
class Section:
    """What a section shows, says and was made by."""

    key: str
    """Unique in the page, and how the file of its picture is called."""
    title: str
    said: str
    """What to see, in two sentences."""
    command: str
    rows: Callable[[Stored], pd.DataFrame | None]
    """What its picture shows; None if the result has none."""
    draw: Callable[[Stored, pd.DataFrame], Figure]
    shown: tuple[str, ...]
    """The columns that hovering over a point shows."""
    figures: Callable[[pd.DataFrame], Table]
    whole: Callable[[Stored], Figure | None] | None = None
    """Draws all that a run has of it, for a file of its own."""
    of_traces: bool = False
    """Whether it shows traces and nothing measured, so that results of the same ones share it."""


def study_section(name: str) -> Section | None:
    """Return the section of a study, if it has one."""
    exhibit = load_study(name).exhibit
    if exhibit is None:
        return None
    return Section(
        key=name,
        title=exhibit.title,
        said=exhibit.said,
        command=questions()[name].command or f"dirtyscan study {name}",
        rows=lambda result: result.study(name),
        draw=lambda _, found: exhibit.draw(found),
        shown=exhibit.shown,
        figures=exhibit.figures,
    )
