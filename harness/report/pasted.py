"""What is printed of results to be pasted, or for another program: one document, however many."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.errors import BadInput
from harness.presentation.table import as_data
from harness.report.run_table import results_text, shared_rows
from harness.report.stored_study import stored_study
from harness.results.result import SPEEDUPS, read_table

RESULTS = "results"
"""The column that says of several results which one a row is of."""


def pasted(folders: Sequence[Path], form: str) -> str:
    """Return the results in ``folders``, of runs or of studies, as one document.

    Of several, Markdown has a table below the name of each; CSV and JSON have the rows of all, each
    with the name of its result in the first column.

    Args:
        form: ``markdown``, ``csv`` or ``json``.

    Raises:
        BadInput: there is no result, or several have rows of different kinds and form one table.
    """
    if len(folders) == 1:
        return _text(folders[0], form)
    names = _names(folders)
    if form == "markdown":
        parts = zip(names, folders, strict=True)
        return "\n".join(f"{name}:\n\n{_text(folder, form)}" for name, folder in parts)
    records: list[dict[Any, Any]] = []
    kinds: dict[str, str] = {}
    for name, folder in zip(names, folders, strict=True):
        kind, rows = _rows(folder)
        kinds.setdefault(kind, name)
        records += ({RESULTS: name, **row} for row in rows.to_dict("records"))
    if len(kinds) > 1:
        (one, first), (other, second), *_ = kinds.items()
        raise BadInput(
            f"--format {form} prints one table, and {first} is {one} and {second} is {other}; name "
            "results of one kind, or print one by one."
        )
    return as_data(pd.DataFrame(records), form)


def _text(folder: Path, form: str) -> str:
    if study := stored_study(folder):
        return study.text(form)
    return results_text(read_table(folder, SPEEDUPS), form)


def _rows(folder: Path) -> tuple[str, pd.DataFrame]:
    """Return of what kind a result is, in words, and its rows."""
    if study := stored_study(folder):
        return f"one of study {study.name}", study.found
    return "a run", shared_rows(read_table(folder, SPEEDUPS))


def _names(folders: Sequence[Path]) -> list[str]:
    """Return what results are called: as their folders are, by whole paths if two are alike."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else list(map(str, folders))
