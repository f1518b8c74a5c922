"""A session: what a study measures with, and where it puts what comes out."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.base.files import write_text
from harness.claims.calls import single_calls
from harness.measurement.budget import Budget
from harness.measurement.request import Request
from harness.measurement.run_folder import RunFolder
from harness.results.environment import ENVIRONMENT
from harness.results.result import SNAPSHOTS, SPEEDUPS, read_table
from harness.session.measured import Measured, measure, print_end


@dataclasses.dataclass(frozen=True)
class Ran:
    """A run that is finished."""

    folder: Path
    measured: Measured

    @property
    def rows(self) -> pd.DataFrame:
        """Its ``speedups.csv``."""
        return read_table(self.folder, SPEEDUPS)

    @property
    def calls(self) -> pd.DataFrame:
        """Its single calls."""
        return single_calls(self.rows, read_table(self.folder, SNAPSHOTS))


@dataclasses.dataclass
class Session:
    """What a study is measured with: its folder, its time, and who is told."""

    name: str
    """Of the study, and of its table."""
    folder: Path
    budget: Budget
    """Of each run."""
    resume: bool | None
    """Whether to go on with an unfinished run; None where that is not offered."""
    out: Console
    log: Console
    status: int = 0
    """The exit status: 1 once a variant has failed."""
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What its runs were measured on: that of the last one, with the toolchains of all, all that
    has disturbed one, and the largest share of rounds that something slowed in one."""
    left_out: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each thing that could not be measured."""

    def run(self, request: Request, part: str = "") -> Ran:
        """Measure ``request`` into the session's folder or a ``part`` of it.

        Raises:
            BadInput: it cannot be planned, or is not the run to resume.
        """
        with RunFolder(self.folder / part, resumable=self.resume is not None) as folder:
            measured = measure(request, folder, self.budget, bool(self.resume), self.log)
        self.environment = _joined(self.environment, measured.environment)
        self.status = max(self.status, print_end(measured, self.out, self.log))
        return Ran(folder.path, measured)

    def leave_out(self, sentence: str) -> None:
        """Say what cannot be measured, and why."""
        self.left_out.append(sentence)
        self.log.print(f"left out: {sentence}", soft_wrap=True)

    def keep(self, table: pd.DataFrame) -> Path:
        """Write the study's table as far as it is known, and return its path.

        And what its runs were measured on, which those of its parts have written beside themselves.
        """
        if self.environment:
            self.describe(self.environment)
        path = self.folder / f"{self.name}.csv"
        write_text(path, str(table.to_csv(index=False, float_format="%.6g")))
        return path

    def describe(self, environment: dict[str, Any]) -> None:
        """Write what it was measured on, if that is more than what its runs say of themselves."""
        self.environment = environment
        write_text(self.folder / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")


def _joined(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    made = [*before.get("toolchains", ()), *after["toolchains"]]
    known = before["machine"]["disturbed"] if before else ()
    machine = after["machine"]
    disturbed = list(dict.fromkeys((*known, *machine["disturbed"])))
    during = [one["machine"]["during"] for one in (before, after) if one]
    slowed = max(one["slowed"] for one in during)
    return {
        **after,
        "toolchains": list({each["name"]: each for each in made}.values()),
        "machine": {
            **machine, "disturbed": disturbed, "during": {**machine["during"], "slowed": slowed},
        },
    }  # fmt: skip
