"""Settings: what a project asks of the gate, in ``[gate]`` of its manifest."""

import dataclasses
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.requirement import Requirement, parse_requirement
from harness.native.manifest import MANIFEST, Manifest, find_manifest, parse_manifest

_VARIANTS = ("multi_page", "recommended")
"""What a reference is made of where nothing else is said and there is no variant of one's own."""
_TABLE = "[tool.dirtyscan.gate]"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a project asks for."""

    where: str
    """The table and the file that they stand in, or would."""
    variants: tuple[str, ...]
    """Of *count*, that a reference is made of: names, or paths of files."""
    toolchains: tuple[str, ...]
    """Empty for the default toolchain."""
    requirements: tuple[Requirement, ...]


def read_settings(path: Path | None = None) -> Settings:
    """Read the settings in ``path``; without one, those of the current folder's repository, if any.

    Raises:
        BadInput: the file was named and is not there, or has no settings; it is no TOML; or a
            setting cannot be read.
    """
    manifest = _manifest(path)
    if path and (manifest is None or manifest.gate is None):
        raise BadInput(f"{path} has no table {_table(path)}; add it, or name another file.")
    own = tuple(manifest.entries) if manifest else ()
    if manifest is None or manifest.gate is None:
        return Settings(f"[gate] of {MANIFEST}", own or _VARIANTS, (), ())
    gate = manifest.gate
    requirements = tuple(parse_requirement(text) for text in gate.requirements)
    where = f"{_table(manifest.path)} of {manifest.path.name}"
    return Settings(where, gate.variants or own or _VARIANTS, gate.toolchains, requirements)


def _table(path: Path) -> str:
    """Return how the table is called in a file."""
    return "[gate]" if path.name == MANIFEST else _TABLE


def _manifest(path: Path | None) -> Manifest | None:
    if path is None:
        return find_manifest()
    return parse_manifest(path)
