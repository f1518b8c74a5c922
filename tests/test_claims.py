"""Claims and verdicts."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claim import Claim, find_claim, read_claims, verdict
from harness.variant import built_in_variants
from workloads.conditions import CONDITIONS

FASTER = Claim("f", "", "", "count", "o", "v", ("c",), 8.0, 16.0, "")
SLOWER = dataclasses.replace(FASTER, low=0.25, high=1 / 3)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (9, 10, "reproduced"),
        (7.9, 8.1, "reproduced"),
        (16, 17, "reproduced"),
        (16.1, 17, "stronger"),
        (7, 7.9, "weaker"),
        (0.9, 1.1, "weaker"),
        (1, 1.2, "weaker"),
        (0.8, 0.99, "contradicted"),
    ],
)
def test_verdicts_on_a_speedup(low: float, high: float, expected: str) -> None:
    assert verdict(low, high, FASTER) == expected


@given(st.floats(0.01, 100), st.floats(1, 3))
def test_a_slowdown_is_judged_as_its_reciprocal(low: float, width: float) -> None:
    mirrored = dataclasses.replace(FASTER, low=1 / FASTER.high, high=1 / FASTER.low)
    high = low * width
    assert verdict(1 / high, 1 / low, mirrored) == verdict(low, high, FASTER)


def test_the_letters_claims_are_the_letters() -> None:
    ranges = {
        condition: (claim.low, claim.high)
        for claim in read_claims()
        for condition in claim.conditions
        if claim.name.startswith("letter-")
    }
    assert ranges["cond1"] == ranges["cond3"] == (8, 16)
    assert ranges["cond2"] == ranges["cond2-full"] == (0.25, pytest.approx(1 / 3))
    assert ranges["cond4"] == (2, 16)


def test_claims_name_what_exists() -> None:
    for claim in read_claims():
        known = built_in_variants(claim.operation)
        assert claim.original in known
        assert claim.variant in known
        assert set(claim.conditions) <= set(CONDITIONS)
        assert 0 < claim.low <= claim.high


def test_a_pair_without_a_claim_has_none() -> None:
    assert find_claim("count", "page_by_page", "multi_page", "cond1")
    assert find_claim("count", "page_by_page", "page_by_page", "cond1") is None
    assert find_claim("count", "page_by_page", "multi_page", None) is None
