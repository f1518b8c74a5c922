"""References: stored results that a gate compares with."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import msgspec

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.gate.counts import Counted
from harness.measurement.plan import AGAIN
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS
from harness.results.environment import ENVIRONMENT, Environment, read_environment
from harness.results.result import PROCESSES, read_table
from harness.results.tables import Positive

FORMAT = 1
GATE = "gate.json"
"""What a reference has beside the files of any result."""
RESULTS, SUFFIX = Path("results"), "-gate"
REMAKE = "make it anew with 'dirtyscan gate --update'"
T = TypeVar("T")
Logs = Mapping[tuple[str, str, str], tuple[float, ...]]
"""Logarithms of the speedup by process, by (trace key, variant, toolchain)."""


@dataclasses.dataclass(frozen=True)
class GateFile:
    """What ``gate.json`` holds."""

    requirements: tuple[str, ...]
    """Those that held when it was made."""
    replaced: tuple[Mapping[str, Any], ...]
    """The provenance of the references that it has replaced, the newest first."""
    instructions: tuple[tuple[str, str, str, str, Positive], ...]
    """Operation, variant, toolchain, trace, and instructions a page."""
    operation: str = DEFAULT_OPERATION
    """That of its variants that were timed."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The path of each variant that does not come with dirtyscan, from where it was made."""
    format: int = FORMAT


@dataclasses.dataclass(frozen=True)
class _Format:
    format: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


@dataclasses.dataclass(frozen=True)
class Reference:
    """A stored result with what a gate needs besides."""

    folder: Path
    environment: Environment
    logs: Logs
    instructions: Mapping[Counted, float]
    """Instructions a page."""
    gate: GateFile
    beside: str = ""
    """Goes on a sentence that says why it cannot be compared with: how near others are."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"reference {self.folder}"

    def source(self, variant: str) -> str:
        """Return what a timed variant is found by: its name, or the path of a user's own."""
        return self.gate.sources.get(variant, variant)

    def content_hash(self, key: str) -> str:
        """Return the hash of the trace ``key`` that it was measured on."""
        return self.environment["layout"]["traces"].get(key, "")


def folder_of(base: Path, operation: str) -> Path:
    """Return where a reference of ``operation`` lies: *count*'s is ``base``, others lie beside."""
    return base if operation == DEFAULT_OPERATION else base.with_name(f"{base.name}-{operation}")


def stored_at(base: Path) -> list[Path]:
    """Return the references that are at ``base``, one for each operation that has one."""
    folders = (folder_of(base, operation) for operation in OPERATIONS)
    return [folder for folder in folders if (folder / GATE).exists()]


def read_reference(folder: Path) -> Reference:
    """Read the reference in ``folder``.

    Raises:
        BadInput: it is not there, from a newer dirtyscan, or damaged; or rows are missing.
    """
    data = read_file(folder / GATE)
    written = _decode(folder / GATE, data, _Format)
    if written.format > FORMAT:
        raise BadInput(
            f"reference {folder} is of format {written.format}, and this dirtyscan reads up to "
            f"{FORMAT}; use a newer dirtyscan, or {REMAKE}."
        )
    gate = _decode(folder / GATE, data, GateFile)
    environment = cast("Environment", read_environment(folder))  # which has looked at it
    if "traces" not in environment["layout"]:
        raise _damaged(folder / ENVIRONMENT, "it does not say on which traces it was measured")
    logs = _read_logs(folder)
    _check_whole(folder, logs)
    counts = {Counted(*key): value for *key, value in gate.instructions}
    return Reference(folder, environment, logs, counts, gate)


def _read_logs(folder: Path) -> Logs:
    table = read_table(folder, PROCESSES)
    table = table[~table["variant"].str.endswith(AGAIN)]  # the noise floor
    rows = table.groupby(["trace", "variant", "toolchain"], sort=False)["speedup"]
    return {
        (str(trace), str(variant), str(toolchain)): tuple(map(math.log, speedups))
        for (trace, variant, toolchain), speedups in rows
    }


def _check_whole(folder: Path, logs: Logs) -> None:
    """Make sure that every variant has a row for every trace."""
    for trace in dict.fromkeys(trace for trace, _, _ in logs):
        for variant, toolchain in dict.fromkeys(key[1:] for key in logs):
            if (trace, variant, toolchain) not in logs:
                raise BadInput(
                    f"reference {folder} has no row for {variant} ({toolchain}) on {trace}; "
                    f"{REMAKE}."
                )
    if not logs:
        raise BadInput(f"reference {folder} has no rows; {REMAKE}.")


def _decode(path: Path, data: bytes, kind: type[T]) -> T:
    try:
        return decode_json(data, kind)
    except ValueError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, why: object) -> BadInput:
    return BadInput(f"{path} is damaged ({why}); {REMAKE}.")
