"""Settings: what a project asks of the gate, in its manifest."""

import dataclasses
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.named_rows import operation_meant
from harness.gate.requirement import Requirement, parse_requirement
from harness.gate.tolerance import RowTolerance, parse_tolerance
from harness.measurement.plan import name_in_keys
from harness.native.manifest import Manifest, find_manifest, parse_manifest
from harness.native.manifest_tables import MANIFEST, GateTable
from harness.native.operation import OPERATIONS
from workloads.trace import open_trace

_VARIANTS = ("multi_page", "recommended")
"""What a reference is made of where nothing else is said and there is no variant of one's own."""
_TABLE = "[tool.dirtyscan.gate]"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a project asks for."""

    where: str
    """The table and the file that they stand in, or would."""
    variants: tuple[str, ...]
    """Those that a reference is made of: names, or paths of files."""
    toolchains: tuple[str, ...] = ()
    """Empty for the default toolchain."""
    requirements: tuple[Requirement, ...] = ()
    tolerances: tuple[RowTolerance, ...] = ()
    traces: tuple[Path, ...] = ()
    """Of the project's own."""
    own_traces: tuple[str, ...] = ()
    """What these are called."""

    def by_operation(self) -> dict[str, tuple[str, ...]]:
        """Return the variants of each operation that they or requirements are of, *count* first.

        Raises:
            BadInput: one does not exist or compile, or is one of several operations.
        """
        meant = {name: operation_meant(name) for name in self.variants}
        there = {*meant.values(), *(one.rows.operation for one in self.requirements)}
        return {
            operation: tuple(name for name in self.variants if meant[name] == operation)
            for operation in OPERATIONS
            if operation in there
        }


def read_settings(path: Path | None = None) -> Settings:
    """Read the settings in ``path``; without one, those of the current folder's repository, if any.

    Raises:
        BadInput: the file was named and is not there, or has no settings; it is no TOML; or a
            setting cannot be read.
    """
    manifest = parse_manifest(path) if path else find_manifest()
    if path and (manifest is None or manifest.gate is None):
        raise BadInput(f"{path} has no table {_table(path)}; add it, or name another file.")
    if manifest is None:
        return Settings(f"[gate] of {MANIFEST}", _VARIANTS)
    return _of_manifest(manifest)


def _of_manifest(manifest: Manifest) -> Settings:
    gate = manifest.gate or GateTable()
    traces = manifest.trace_files()
    names = tuple(name_in_keys(open_trace(trace).source.name) for trace in traces)
    there = manifest.path.name if manifest.gate else MANIFEST
    return Settings(
        f"{_table(Path(there))} of {there}",
        gate.variants or tuple(manifest.entries) or _VARIANTS,
        gate.toolchains,
        tuple(parse_requirement(text, names) for text in gate.requirements),
        tuple(parse_tolerance(text, names) for text in gate.tolerances),
        traces,
        names,
    )


def _table(path: Path) -> str:
    """Return how the table is called in a file."""
    return "[gate]" if path.name == MANIFEST else _TABLE
