"""A session: what a study measures with, and where it puts what comes out."""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.commands.measure import Measured, measure, print_end
from harness.machine.environment import ENVIRONMENT
from harness.measurement.plan import Plan
from harness.measurement.preparation import Request, prepare
from harness.measurement.run_folder import RunFolder
from harness.statistics.results import SPEEDUPS, read_table
from workloads.files import write_text
from workloads.synthesis import Report

MakeRequest = Callable[[Path, Report], Request]
"""Makes traces in a folder, tells how far it is, and says what is measured."""


@dataclasses.dataclass(frozen=True)
class Ran:
    """A run that is finished."""

    folder: Path
    measured: Measured

    @property
    def rows(self) -> pd.DataFrame:
        """Its ``speedups.csv``."""
        return read_table(self.folder, SPEEDUPS)


@dataclasses.dataclass
class Session:
    """What a study is measured with: its folder, its time, and who is told."""

    name: str
    """Of the study, and of its table."""
    folder: Path
    budget: float
    """Seconds that each run takes at most."""
    resume: bool
    out: Console
    log: Console
    status: int = 0
    """The exit status: 1 once a variant has failed."""
    left_out: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each thing that could not be measured."""

    def run(self, make_request: MakeRequest, part: str = "") -> Ran:
        """Measure what is asked for, into the session's folder or a ``part`` of it.

        Raises:
            BadInput: what is asked for cannot be made, or is not that of the run to resume.
        """

        def make_plan(base: Path, report: Report) -> Plan:
            with tempfile.TemporaryDirectory(prefix="dirtyscan-") as made:
                return prepare(make_request(Path(made), report), base, report)

        with RunFolder(self.folder / part) as folder:
            measured = measure(folder, make_plan, self.budget, self.resume, self.log)
        self.status = max(self.status, print_end(measured, self.out, self.log))
        return Ran(folder.path, measured)

    def leave_out(self, sentence: str) -> None:
        """Say what cannot be measured, and why."""
        self.left_out.append(sentence)
        self.log.print(f"left out: {sentence}", soft_wrap=True)

    def keep(self, table: pd.DataFrame) -> Path:
        """Write the study's table as far as it is known, and return its path."""
        path = self.folder / f"{self.name}.csv"
        write_text(path, str(table.to_csv(index=False, float_format="%.6g")))
        return path

    def describe(self, environment: dict[str, Any]) -> None:
        """Write what it was measured on, where its runs have not done so."""
        write_text(self.folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
