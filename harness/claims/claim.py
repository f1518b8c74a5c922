"""Claims: published figures, read from a file, and the verdict on a measured interval."""

import dataclasses
import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.native.operation import find_operation
from harness.native.variant import find_variant
from workloads.conditions import find_condition
from workloads.errors import BadInput
from workloads.files import read_file
from workloads.random_runs import RandomRuns, random_pages
from workloads.units import parse_size

CLAIMS = Path(__file__).parent / "claims.toml"
NEAR = 1.25
"""A single figure is taken as a range of a quarter either way: it was measured elsewhere."""

_REQUIRED = {"name", "source", "date", "operation", "original", "variant", "note"}
_WORKLOAD = {"conditions", "trace", "density", "mean_run", "run", "guest_memory", "scaled_to"}
_FIGURES = {"low", "high", "figure"}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published range of speedups; ``claims.toml`` says what each field means."""

    name: str
    source: str
    date: str
    operation: str
    original: str
    variant: str
    low: float
    high: float
    note: str
    conditions: tuple[str, ...] = ()
    trace: str = ""
    """The path of a trace file, if that is what it is about."""
    runs: RandomRuns | None = None
    """The random maps that it is about, if it is not about conditions or a trace."""
    guest_memory: int = 0
    """In bytes, of the random maps that it is about."""
    scaled_to: int = 0
    """In bytes, of those that are measured in their place; the same unless they take too long."""

    def unscaled(self) -> "Claim":
        """Return it measured on the guest that it is about, however large."""
        return dataclasses.replace(self, scaled_to=self.guest_memory)

    @property
    def claimed(self) -> str:
        """The range in words."""
        if self.high == float("inf"):
            return f"above {self.low:g}"
        return f"{self.low:.3g} to {self.high:.3g}"


@functools.cache
def read_claims(path: Path = CLAIMS) -> tuple[Claim, ...]:
    """Return every claim in ``path``.

    Raises:
        BadInput: the file cannot be read, or a claim in it is not one.
    """
    try:
        document = tomllib.loads(read_file(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"claims {path.name} are no TOML: {error}; mend that place.") from None
    entries = document.get("claim", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"claims {path.name} have no [[claim]] tables; see the ones built in.")
    return tuple(_read(entry, path) for entry in entries)


def _read(entry: Mapping[str, Any], path: Path) -> Claim:
    name = entry.get("name", "?")
    where = f"claim {name!r} in {path.name}"
    missing = sorted(_REQUIRED - set(entry))
    unknown = sorted(set(entry) - _REQUIRED - _WORKLOAD - _FIGURES)
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown)}"
        raise BadInput(f"{where} {what}; its fields are those that claims.toml describes.")
    try:
        find_operation(entry["operation"])
        for variant in (entry["original"], entry["variant"]):
            find_variant(variant, entry["operation"])
        for condition in entry.get("conditions", ()):
            find_condition(condition)
        low, high = _range(entry)
        runs = _runs(entry)
        memory = parse_size(entry["guest_memory"]) if runs else 0
        scaled = parse_size(entry["scaled_to"]) if "scaled_to" in entry else memory
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{where} cannot be read ({error!r}); mend that field.") from None
    given = [kind for kind in ("conditions", "trace", "density") if kind in entry]
    if len(given) != 1:
        raise BadInput(f"{where} is about {' and '.join(given) or 'nothing'}; give one workload.")
    return Claim(
        **{field: str(entry[field]) for field in _REQUIRED},
        low=low,
        high=high,
        conditions=tuple(entry.get("conditions", ())),
        trace=str(entry.get("trace", "")),
        runs=runs,
        guest_memory=memory,
        scaled_to=scaled,
    )


def _range(entry: Mapping[str, Any]) -> tuple[float, float]:
    if "figure" in entry:
        return float(entry["figure"]) / NEAR, float(entry["figure"]) * NEAR
    return float(entry["low"]), float(entry.get("high", float("inf")))


def _runs(entry: Mapping[str, Any]) -> RandomRuns | None:
    if "density" not in entry:
        return None
    density = float(entry["density"])
    if "run" in entry:
        return RandomRuns(density, int(entry["run"]), fixed=True)
    if "mean_run" in entry:
        return RandomRuns(density, float(entry["mean_run"]))
    return random_pages(density)


def find_claims(names: Sequence[str], path: Path = CLAIMS) -> tuple[Claim, ...]:
    """Return the claims called ``names``, or all of ``path`` if there are none.

    Raises:
        BadInput: one is not there.
    """
    known = {claim.name: claim for claim in read_claims(path)}
    for name in names:
        if name not in known:
            raise BadInput(f"claim {name!r} is not known; choose from {', '.join(known)}.")
    return tuple(known[name] for name in names or known)


def find_claim(operation: str, original: str, variant: str, condition: str | None) -> Claim | None:
    """Return the claim about ``variant`` against ``original`` under ``condition``, if any."""
    for claim in read_claims():
        pair = (claim.operation, claim.original, claim.variant)
        if pair == (operation, original, variant) and condition in claim.conditions:
            return claim
    return None
