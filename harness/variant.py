"""Variants: the C files that implement an operation, by name."""

import dataclasses
from pathlib import Path

from workloads.errors import BadInput

VARIANTS = Path(__file__).parent / "variants"
CONTRACT = VARIANTS / "dirtyscan.h"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One implementation of one operation, as source."""

    name: str
    operation: str
    sources: tuple[Path, ...]
    """Its translation units, the one that defines ``dirtyscan_variant`` first."""

    @property
    def dependencies(self) -> tuple[Path, ...]:
        """Every file that its binary depends on."""
        headers = sorted(self.sources[0].parent.glob(f"{self.name}.*.h"))
        return (*self.sources, *headers, CONTRACT)


def built_in_variants(operation: str) -> dict[str, Variant]:
    """Return the variants that come with dirtyscan, by name."""
    found = {}
    for source in sorted((VARIANTS / operation).glob("*.c")):
        if "." not in source.stem:
            units = sorted(source.parent.glob(f"{source.stem}.*.c"))
            found[source.stem] = Variant(source.stem, operation, (source, *units))
    return found


def find_variant(name: str, operation: str) -> Variant:
    """Return the variant called ``name``.

    Raises:
        BadInput: there is none.
    """
    known = built_in_variants(operation)
    if name not in known:
        raise BadInput(
            f"variant {name!r} of operation {operation} is not known; choose from "
            f"{', '.join(known)}."
        )
    return known[name]
