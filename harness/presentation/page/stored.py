"""What is stored of a measurement: a result, and the studies that lie beside it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.base.errors import BadInput
from harness.results.environment import ENVIRONMENT, read_environment
from harness.results.history import measured_at, read_history
from harness.results.result import SNAPSHOTS, SPEEDUPS, read_table
from workloads.trace import ORIGINS, Trace, open_trace

STUDIES = ("density", "size", "toolchains", "tick", "instructions", "assumptions", "claims")
VARIANTS = "variants"
"""How the folder of a run with every variant ends."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """A result as a page shows it."""

    name: str
    speedups: pd.DataFrame
    snapshots: pd.DataFrame | None
    environment: Mapping[str, Any]
    date: str
    traces: tuple[Trace, ...]
    variants: pd.DataFrame | None
    """``speedups.csv`` of a run with every variant, if there is one."""
    studies: Mapping[str, pd.DataFrame]
    """The tables of the studies that there are, by name."""
    provenance: Mapping[str, str]
    """When a study, or the run with every variant, was measured, and of which commit."""


def read_stored(folder: Path) -> Stored:
    """Read the result in ``folder`` and what belongs to it.

    To ``results/NAME`` belong ``results/NAME-density`` and so on; to ``results/latest`` also
    ``results/density``, where a study is put unless it is said otherwise.

    Raises:
        BadInput: there is no result, or a file is damaged.
    """
    traces = [open_trace(path) for path in sorted((folder / "traces").glob("*.trace"))]
    traces.sort(key=lambda trace: (trace.source.name, ORIGINS.index(trace.source.origin)))
    studies = {}
    provenance = {"": _provenance(folder)}
    for name in STUDIES:
        path = _beside(folder, name) / f"{name}.csv"
        if path.exists():
            studies[name] = _read(path)
            provenance[name] = _provenance(path.parent)
    variants = _beside(folder, VARIANTS)
    provenance[VARIANTS] = _provenance(variants)
    return Stored(
        name=folder.resolve().name,
        speedups=read_table(folder, SPEEDUPS),
        snapshots=read_table(folder, SNAPSHOTS) if (folder / SNAPSHOTS).exists() else None,
        environment=read_environment(folder) if (folder / ENVIRONMENT).exists() else {},
        date=f"{read_history([folder])['date'].iloc[0]:%Y-%m-%d %H:%M} UTC",
        traces=tuple(traces),
        variants=read_table(variants, SPEEDUPS) if (variants / SPEEDUPS).exists() else None,
        studies=studies,
        provenance=provenance,
    )


def _provenance(folder: Path) -> str:
    if not (folder / ENVIRONMENT).exists():
        return ""
    environment = read_environment(folder)
    commit = f"commit {environment['git_commit']}, {environment['cpu']['model']}"
    try:
        return f"{measured_at(folder, environment):%Y-%m-%d %H:%M} UTC, {commit}"
    except BadInput:  # of earlier versions, which did not say when
        return commit


def _beside(folder: Path, study: str) -> Path:
    own = folder.parent / f"{folder.name}-{study}"
    return folder.parent / study if folder.name == "latest" and not own.exists() else own


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); measure the study anew.") from None
