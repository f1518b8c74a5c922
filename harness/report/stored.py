"""What is stored of a measurement: a result, and the studies that lie beside it."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.errors import BadInput
from harness.claims.calls import single_calls
from harness.results.environment import ENVIRONMENT, read_environment
from harness.results.history import measured_at, read_history
from harness.results.result import SNAPSHOTS, SPEEDUPS, read_table
from harness.results.speedups import judged
from workloads.trace import ORIGINS, Trace, open_trace


@dataclasses.dataclass(frozen=True)
class Stored:
    """The result in a folder, and what belongs to it; each part is read when it is asked for.

    To ``results/NAME`` belong ``results/NAME-density`` and so on; to ``results/latest`` also
    ``results/density``, where a study is put unless it is said otherwise.

    Raises:
        BadInput: there is no result, or a file is damaged.
    """

    folder: Path

    @property
    def name(self) -> str:
        """How it is called, which is how its folder is."""
        return self.folder.resolve().name

    @property
    def has_run(self) -> bool:
        """Whether there is a run, and not studies alone."""
        return (self.folder / SPEEDUPS).exists()

    @cached_property
    def speedups(self) -> pd.DataFrame:
        """All of ``speedups.csv``."""
        return read_table(self.folder, SPEEDUPS)

    @property
    def measured(self) -> pd.DataFrame:
        """The speedups, without noise floors and what is paid for elsewhere."""
        return judged(self.speedups)

    @cached_property
    def snapshots(self) -> pd.DataFrame | None:
        """``snapshots.csv``, if there is one."""
        return read_table(self.folder, SNAPSHOTS) if (self.folder / SNAPSHOTS).exists() else None

    @cached_property
    def calls(self) -> pd.DataFrame | None:
        """The speedups of single calls, as :func:`harness.claims.calls.single_calls` has them."""
        if self.snapshots is None:
            return None
        return single_calls(self.measured, self.snapshots)

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """What it was measured on, as far as that is known."""
        return read_environment(self.folder) if (self.folder / ENVIRONMENT).exists() else {}

    @cached_property
    def date(self) -> str:
        """When it was measured."""
        return f"{read_history([self.folder])['date'].iloc[0]:%Y-%m-%d %H:%M} UTC"

    @cached_property
    def traces(self) -> tuple[Trace, ...]:
        """Its traces, those of a condition next to each other."""
        traces = [open_trace(path) for path in sorted((self.folder / "traces").glob("*.trace"))]
        traces.sort(key=lambda trace: (trace.source.name, ORIGINS.index(trace.source.origin)))
        return tuple(traces)

    @property
    def variants(self) -> pd.DataFrame | None:
        """What was measured of a run with every variant, if there is one."""
        folder = self._beside("variants")
        return judged(read_table(folder, SPEEDUPS)) if (folder / SPEEDUPS).exists() else None

    def study(self, name: str) -> pd.DataFrame | None:
        """Return the table of a study, if it was measured."""
        path = self._beside(name) / f"{name}.csv"
        if not path.exists():
            return None
        try:
            return pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read ({error}); measure the study anew.") from None

    def study_slowed(self, name: str) -> float:
        """Return the share of the rounds of a study that something slowed, 0 if it is not known."""
        folder = self._beside(name)
        if not (folder / ENVIRONMENT).exists():
            return 0.0
        during = read_environment(folder)["machine"]["during"]
        return float(during.get("slowed", 0.0))

    def provenance(self, part: str) -> str:
        """Say when the result, or the ``part`` beside it, was measured, and of which commit."""
        beside = self._beside(part)
        if not beside.exists():
            return _provenance(self.folder)
        return _provenance(beside) or "at a time and with a commit that were not kept"

    def _beside(self, part: str) -> Path:
        folder = self.folder
        own = folder.parent / f"{folder.name}-{part}"
        return folder.parent / part if folder.name == "latest" and not own.exists() else own


def commit_of(environment: Mapping[str, Any]) -> str:
    """Say which commit a result was measured with, and whether that reproduces it."""
    commit = str(environment["git_commit"])
    if commit == "unknown":
        return f"dirtyscan {environment['dirtyscan']}"
    clean = commit.removesuffix("-dirty")
    return f"commit {clean}{' with changes that were not committed' if clean != commit else ''}"


def _provenance(folder: Path) -> str:
    if not (folder / ENVIRONMENT).exists():
        return ""
    environment = read_environment(folder)
    cpu, design = environment["cpu"]["model"], environment["cpu"].get("generation")
    known = f"{cpu} ({design})" if design else cpu
    commit = f"{commit_of(environment)}, {known}"
    try:
        return f"{measured_at(folder, environment):%Y-%m-%d %H:%M} UTC, {commit}"
    except BadInput:  # of earlier versions, which did not say when
        return commit
