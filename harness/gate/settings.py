"""Settings: what a project asks of the gate, in ``[gate]`` of its manifest."""

import dataclasses
from pathlib import Path

import msgspec

from harness.base.documents import convert
from harness.base.errors import BadInput
from harness.gate.requirement import Requirement, parse_requirement
from harness.native.manifest import MANIFEST, Manifest, find_manifest, parse_manifest

_VARIANTS = ("multi_page", "recommended")
"""What a reference is made of where nothing else is said and there is no variant of one's own."""
_TABLE = "[tool.dirtyscan.gate]"


class _Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table, as it is written."""

    variants: tuple[str, ...] = ()
    toolchains: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a project asks for."""

    path: Path
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
        table = "[gate]" if path.name == MANIFEST else _TABLE
        raise BadInput(f"{path} has no table {table}; add it, or name another file.")
    own = tuple(manifest.entries) if manifest else ()
    if manifest is None or manifest.gate is None:
        return Settings(Path(MANIFEST), own or _VARIANTS, (), ())
    try:
        gate = convert(manifest.gate, _Gate)
    except ValueError as error:
        settings = ", ".join(_Gate.__struct_fields__)
        raise BadInput(
            f"{manifest.path} cannot be read: {error}; {_TABLE} may have lists of strings called "
            f"{settings}."
        ) from None
    requirements = tuple(parse_requirement(text) for text in gate.requirements)
    variants = gate.variants or own or _VARIANTS
    return Settings(manifest.path, variants, gate.toolchains, requirements)


def _manifest(path: Path | None) -> Manifest | None:
    if path is None:
        return find_manifest()
    return parse_manifest(path)
