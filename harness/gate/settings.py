"""Settings: what a project asks of the gate, in ``[tool.dirtyscan.gate]`` of its pyproject."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from harness.gate.requirement import Requirement, parse_requirement
from workloads.errors import BadInput
from workloads.files import read_file

_DEFAULT_VARIANTS = ("multi_page", "recommended")
_LISTS = {"variants", "toolchains", "requirements"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a project asks for."""

    variants: tuple[str, ...] = _DEFAULT_VARIANTS
    """Of *count*, that a reference is made of."""
    toolchains: tuple[str, ...] = ()
    """Empty for the default toolchain."""
    requirements: tuple[Requirement, ...] = ()


def read_settings(path: Path) -> Settings:
    """Read the settings in the pyproject ``path``; the default ones if there is no such file.

    Raises:
        BadInput: the file is no TOML, or a setting cannot be read.
    """
    if not path.exists():
        return Settings()
    try:
        document = tomllib.loads(read_file(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}; mend that place.") from None
    table = document.get("tool", {}).get("dirtyscan", {}).get("gate", {})
    return _settings(table, path)


def _settings(table: dict[str, Any], path: Path) -> Settings:
    where = f"[tool.dirtyscan.gate] in {path}"
    for name, value in table.items():
        if name not in _LISTS:
            raise BadInput(f"{where} has {name!r}; choose from {', '.join(sorted(_LISTS))}.")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadInput(f"{where}: {name} must be a list of strings.")
    return Settings(
        tuple(table.get("variants", _DEFAULT_VARIANTS)),
        tuple(table.get("toolchains", ())),
        tuple(parse_requirement(text) for text in table.get("requirements", ())),
    )
