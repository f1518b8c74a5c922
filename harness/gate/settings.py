"""Settings: what a project asks of the gate, in its manifest."""

import dataclasses
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.requirement import Requirement, parse_requirement
from harness.gate.tolerance import RowTolerance, parse_tolerance
from harness.measurement.plan import name_in_keys
from harness.native.built_variant import operations_of
from harness.native.manifest import MANIFEST, GateTable, Manifest, find_manifest, parse_manifest
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS
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

    def variants_of(self, operation: str) -> tuple[str, ...]:
        """Return those of :attr:`variants` that are of ``operation``.

        Raises:
            BadInput: one does not exist or compile.
        """
        return tuple(name for name in self.variants if _operation(name) == operation)

    def operations(self) -> tuple[str, ...]:
        """Return the operations of :attr:`variants` and requirements, *count* first.

        Raises:
            BadInput: one does not exist or compile.
        """
        there = {_operation(name) for name in self.variants}
        there |= {one.rows.operation for one in self.requirements}
        return tuple(name for name in OPERATIONS if name in there)


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
    names = tuple(name_in_keys(open_trace(trace)) for trace in traces)
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


def _operation(name: str) -> str:
    """Return the operation of a variant: *count* of those that are called alike in several."""
    if name in ("all", "recommended"):
        return DEFAULT_OPERATION
    operations = operations_of(name)
    return DEFAULT_OPERATION if DEFAULT_OPERATION in operations else operations[0]


def _table(path: Path) -> str:
    """Return how the table is called in a file."""
    return "[gate]" if path.name == MANIFEST else _TABLE
