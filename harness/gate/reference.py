"""References: stored results that a gate compares with, and whether they can be compared."""

import dataclasses
import math
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.gate.instruction_evidence import Key
from harness.machine.cpu import cpu_slug
from harness.measurement.plan import AGAIN
from harness.results.environment import ENVIRONMENT, read_environment
from harness.results.result import PROCESSES, read_table

FORMAT = 1
GATE = "gate.json"
"""What a reference has beside the files of any result."""
RESULTS, SUFFIX = Path("results"), "-gate"
REMAKE = "make it anew with 'dirtyscan gate --update'"
T = TypeVar("T")
Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e12)]


@dataclasses.dataclass(frozen=True)
class Cpu:
    """The CPU of a reference, as it was recorded."""

    model: str
    architecture: str
    flags: tuple[str, ...] = ()
    caches: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A toolchain of a reference."""

    name: str
    version: str
    """The first line of what the compiler said of its version."""
    flags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the gate needs of how a reference was measured."""

    traces: Mapping[str, str]
    """The hash of each trace's content, by its key."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """What the gate needs of the ``environment.json`` of a reference."""

    cpu: Cpu
    toolchains: tuple[Recorded, ...]
    layout: Layout
    date: str = ""
    git_commit: str = ""
    dirtyscan: str = ""
    kernel: str = ""


@dataclasses.dataclass(frozen=True)
class GateFile:
    """What ``gate.json`` holds."""

    requirements: tuple[str, ...]
    """Those that held when it was made."""
    replaced: tuple[Mapping[str, Any], ...]
    """The provenance of the references that it has replaced, the newest first."""
    instructions: tuple[tuple[str, str, str, str, Positive], ...]
    """Operation, variant, toolchain, trace, and instructions a page."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The path of each variant that does not come with dirtyscan, from where it was made."""
    format: int = FORMAT


@dataclasses.dataclass(frozen=True)
class _Format:
    format: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


@dataclasses.dataclass(frozen=True)
class _Process:
    trace: str
    variant: str
    toolchain: str
    speedup: Positive


@dataclasses.dataclass(frozen=True)
class Reference:
    """A stored result with what a gate needs besides."""

    folder: Path
    environment: Environment
    logs: Mapping[tuple[str, str, str], tuple[float, ...]]
    """Logarithms of the speedup by process, by (trace key, variant, toolchain)."""
    instructions: Mapping[Key, float]
    """Instructions a page."""
    gate: GateFile

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"reference {self.folder}"

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its timed variants."""
        return tuple(dict.fromkeys(variant for _, variant, _ in self.logs))

    @property
    def toolchains(self) -> tuple[str, ...]:
        """The names of the toolchains of all that it holds."""
        counted = (key.toolchain for key in self.instructions)
        return tuple(dict.fromkeys((*(toolchain for _, _, toolchain in self.logs), *counted)))

    def timings(self) -> "Reference":
        """Return it without its counts."""
        return dataclasses.replace(self, instructions={})

    def counts(self) -> "Reference":
        """Return it without its timings."""
        return dataclasses.replace(self, logs={})

    def of_toolchains(self, names: Collection[str]) -> "Reference":
        """Return what of it the toolchains ``names`` have compiled."""
        logs = {key: logs for key, logs in self.logs.items() if key[2] in names}
        counts = {key: n for key, n in self.instructions.items() if key.toolchain in names}
        return dataclasses.replace(self, logs=logs, instructions=counts)

    def of_variants(self, names: Collection[str]) -> "Reference":
        """Return its timings of the variants ``names``, and all counts."""
        logs = {key: logs for key, logs in self.logs.items() if key[1] in names}
        return dataclasses.replace(self, logs=logs)

    def on_traces(self, names: Collection[str]) -> "Reference":
        """Return its counts on the traces ``names``, and all timings."""
        counts = {key: n for key, n in self.instructions.items() if key.trace in names}
        return dataclasses.replace(self, instructions=counts)

    def source(self, variant: str) -> str:
        """Return what a timed variant is found by: its name, or the path of a user's own."""
        return self.gate.sources.get(variant, variant)

    def content_hash(self, key: str) -> str:
        """Return the hash of the trace ``key`` that it was measured on."""
        return self.environment.layout.traces.get(key, "")


def find_reference(folder: Path = RESULTS) -> Path:
    """Return the committed reference in ``folder`` that fits this machine best.

    One of this CPU, else one of this architecture.

    Raises:
        BadInput: there is none.
    """
    own = folder / f"{cpu_slug()}{SUFFIX}"
    if (own / GATE).exists():
        return own
    for path in sorted(folder.glob(f"*{SUFFIX}/{GATE}")):
        if _read_environment(path.parent).cpu.architecture == platform.machine():
            return path.parent
    raise BadInput(
        f"there is no reference for {platform.machine()} in {folder}; {REMAKE}, or name one with "
        "--baseline."
    )


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
    reference = Reference(
        folder,
        _read_environment(folder),
        _read_logs(folder),
        {Key(*key): value for *key, value in gate.instructions},
        gate,
    )
    _check_whole(reference)
    return reference


def _check_whole(reference: Reference) -> None:
    """Make sure that every variant has a row for every trace."""
    traces = dict.fromkeys(trace for trace, _, _ in reference.logs)
    pairs = dict.fromkeys(key[1:] for key in reference.logs)
    for trace in traces:
        for variant, toolchain in pairs:
            if (trace, variant, toolchain) not in reference.logs:
                raise BadInput(
                    f"reference {reference.folder} has no row for {variant} ({toolchain}) on "
                    f"{trace}; {REMAKE}."
                )
    if not reference.logs:
        raise BadInput(f"reference {reference.folder} has no rows; {REMAKE}.")


def _read_environment(folder: Path) -> Environment:
    return _convert(folder / ENVIRONMENT, read_environment(folder), Environment)


def _read_logs(folder: Path) -> dict[tuple[str, str, str], tuple[float, ...]]:
    table = read_table(folder, PROCESSES)
    rows = _convert(folder / PROCESSES, table.to_dict("records"), list[_Process])
    logs: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        if not row.variant.endswith(AGAIN):
            key = (row.trace, row.variant, row.toolchain)
            logs.setdefault(key, []).append(math.log(row.speedup))
    return {key: tuple(values) for key, values in logs.items()}


def _decode(path: Path, data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _damaged(path, error) from None


def _convert(path: Path, value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, from_attributes=True)
    except msgspec.MsgspecError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path} is damaged ({error}); {REMAKE}.")
