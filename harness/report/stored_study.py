"""The table of a study, from the folder that it was written into."""

import dataclasses
from pathlib import Path

import pandas as pd

from harness.base.errors import BadInput
from harness.presentation.table import Table, as_data, as_markdown
from harness.results.result import SPEEDUPS
from harness.studies import load_study, questions
from harness.studies.study import Study


@dataclasses.dataclass(frozen=True)
class StoredStudy:
    """What a study has found, as it was written."""

    name: str
    study: Study
    found: pd.DataFrame

    @property
    def summary(self) -> Table:
        """What a terminal shows of it."""
        return self.study.summary(self.found)

    def text(self, form: str) -> str:
        """Return it to paste: ``markdown``, ``csv`` or ``json``."""
        if form != "markdown":
            return as_data(self.found, form)
        return as_markdown((self.study.document or self.study.summary)(self.found))


def stored_study(folder: Path) -> StoredStudy | None:
    """Return the study whose table lies in ``folder``; None if there is a run there, or neither.

    Raises:
        BadInput: the table cannot be read.
    """
    if (folder / SPEEDUPS).exists():
        return None
    for name in questions():
        path = folder / f"{name}.csv"
        if path.exists():
            try:
                return StoredStudy(name, load_study(name), pd.read_csv(path))
            except (OSError, ValueError) as error:
                raise BadInput(f"{path} cannot be read ({error}); measure it anew.") from None
    return None
