"""Claims: published figures, read from one file, and the verdict on a measured interval."""

import dataclasses
import functools
import tomllib
from pathlib import Path

CLAIMS = Path(__file__).parent / "claims.toml"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published range of speedups; ``claims.toml`` says what each field means."""

    name: str
    source: str
    date: str
    operation: str
    original: str
    variant: str
    conditions: tuple[str, ...]
    low: float
    high: float
    note: str


@functools.cache
def read_claims(path: Path = CLAIMS) -> tuple[Claim, ...]:
    """Return every claim in ``path``."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Claim(**{**entry, "conditions": tuple(entry["conditions"])}) for entry in document["claim"]
    )


def find_claim(operation: str, original: str, variant: str, condition: str | None) -> Claim | None:
    """Return the claim about ``variant`` against ``original`` under ``condition``, if any."""
    for claim in read_claims():
        pair = (claim.operation, claim.original, claim.variant)
        if pair == (operation, original, variant) and condition in claim.conditions:
            return claim
    return None


def verdict(low: float, high: float, claim: Claim) -> str:
    """Judge the interval [low, high] of a speedup against a claimed range.

    Returns:
        ``reproduced`` if they overlap; ``contradicted`` if all of the interval lies on the other
        side of 1 than the claim; ``stronger`` if it lies beyond the claim, away from 1; otherwise
        ``weaker``: between the claim and 1, or reaching across 1.
    """
    if low <= claim.high and high >= claim.low:
        return "reproduced"
    # Seen from a claim of a slowdown, the axis is turned round.
    faster = claim.low >= 1
    beyond = low > claim.high if faster else high < claim.low
    if beyond:
        return "stronger"
    opposite = high < 1 if faster else low > 1
    return "contradicted" if opposite else "weaker"
