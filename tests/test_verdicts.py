"""Verdicts: what a speedup says of a claim."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claims.claim import Claim, read_claims
from harness.claims.verdict import Figures, judge, remark, shares, verdict
from harness.report.answer import answer

FASTER = Claim("f", "", "", "count", "o", "v", 8.0, 16.0, "", conditions=("c",))
OVER_CALLS = dataclasses.replace(FASTER, over_calls=True)
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
        (8, 16, "reproduced"),
        (7, 10.9, "reproduced"),
        (7, 11, "undecided"),
        (15, 24, "undecided"),
        (7.9, 16.1, "undecided"),
        (0.5, 100, "undecided"),
        (0, math.inf, "undecided"),
        (0, 7.9, "weaker"),
        (16.1, math.inf, "stronger"),
    ],
)
def test_verdicts_on_a_speedup(low: float, high: float, expected: str) -> None:
    assert verdict(low, high, FASTER) == expected


def test_an_interval_that_tells_nothing_reproduces_nothing() -> None:
    """0.40 within a factor of 9 was said to reproduce a claim of 1."""
    same = dataclasses.replace(FASTER, low=0.8, high=1.25)
    above = dataclasses.replace(FASTER, low=1.0, high=math.inf)
    just = dataclasses.replace(FASTER, low=2.0, high=2.0)
    assert verdict(0.4 / 9.11, 0.4 * 9.11, same) == "undecided"
    assert verdict(0.4 / 9.11, 0.4 * 9.11, above) == "undecided"
    assert verdict(1.5, 400, above) == "reproduced"
    assert verdict(1.96, 2.04, just) == "reproduced"
    assert verdict(1.9, 2.1, just) == "undecided"


def test_which_side_of_1_it_is_has_to_be_known() -> None:
    """0.95 to 1.005 was said to reproduce "above 1"."""
    above = dataclasses.replace(FASTER, low=1.0, high=math.inf)
    below = dataclasses.replace(FASTER, low=0.9, high=1.0)
    some = dataclasses.replace(FASTER, low=1.01, high=1.2)
    alike, just = (dataclasses.replace(FASTER, low=low, high=1.0 / low) for low in (1 / 1.05, 1.0))
    for claim in (above, below, some):
        assert verdict(0.99, 1.02, claim) == "undecided"
    assert verdict(0.953, 1.005, above) == "undecided"
    assert verdict(1.0, 1.01, above) == verdict(0.98, 1.0, below) == "reproduced"
    assert verdict(0.99, 1.02, alike) == verdict(0.99, 1.02, just) == "reproduced"


def figures_of(*calls: float, width: float = 1.0) -> Figures:
    mean = float(np.mean(calls))
    return Figures(mean, mean / width, mean * width, np.array(calls))


@pytest.mark.parametrize(
    ("calls", "expected", "said"),
    [
        ([8.5] * 10 + [7.0] * 10, "reproduced", "narrower than the letter"),
        ([8.5] * 9 + [7.0] * 11, "in part", "narrower than the letter"),
        ([8.5] * 1 + [7.0] * 19, "in part", "narrower than the letter"),
        ([8.5] * 1 + [7.0] * 20, "weaker", ""),
        ([8.5] * 1 + [17.0] * 20, "stronger", ""),
        ([8.5] * 1 + [0.5] * 20, "contradicted", ""),
        ([*np.geomspace(8, 16, 20)], "reproduced", ""),
        ([*np.geomspace(4, 11, 20)], "in part", "narrower than the letter"),
        ([*np.geomspace(1, 40, 30)], "in part", ""),
        # The median call lies inside, but hardly another: most of the rest decides.
        ([7.0] * 51 + [10.0] * 3 + [17.0] * 50, "weaker", ""),
    ],
)
def test_a_range_over_calls_is_judged_by_the_shares_of_calls(
    calls: list[float], expected: str, said: str
) -> None:
    found = figures_of(*calls)
    assert (judge(found, OVER_CALLS), remark(found, OVER_CALLS)) == (expected, said)
    # Seen from the other side of 1 it is the same.
    mirrored = dataclasses.replace(OVER_CALLS, low=1 / 16, high=1 / 8)
    turned = Figures(1 / found.speedup, 1 / found.high, 1 / found.low, 1 / found.calls)
    assert judge(turned, mirrored) == expected


def test_a_wide_interval_decides_no_shares_that_hang_on_it() -> None:
    calls = [8.1] * 11 + [7.9] * 9
    assert judge(figures_of(*calls, width=1.02), OVER_CALLS) == "reproduced"
    assert judge(figures_of(*calls, width=1.06), OVER_CALLS) == "undecided"
    assert judge(figures_of(*[9.0] * 20, width=1.06), OVER_CALLS) == "reproduced"
    # A single process has an interval without ends.
    assert judge(Figures(9.0, 0.0, math.inf, np.array([9.0, 9.0])), OVER_CALLS) == "undecided"


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_shares_are_those_of_counting(calls: list[float]) -> None:
    found = shares(np.array(calls), OVER_CALLS)
    counted = [sum(call < 8 for call in calls), sum(8 <= call <= 16 for call in calls)]
    assert found.below * len(calls) == pytest.approx(counted[0])
    assert found.within * len(calls) == pytest.approx(counted[1])
    assert found.below + found.within + found.above == pytest.approx(1)


def test_the_letters_ranges_are_over_calls_and_no_other_claim_is() -> None:
    over = [claim.name for claim in read_claims() if claim.over_calls]
    assert over == ["letter-cond1", "letter-cond2", "letter-cond3", "letter-cond4"]


RATIOS = st.sampled_from((1.0, 1.01, 1.05, 1.1, 1.25, 1.5625, 2.0, 8.0, 1e3, math.inf))


@given(
    low=st.floats(0.01, 100), width=RATIOS, claimed=st.floats(0.01, 100), breadth=RATIOS,
    share=st.floats(0, 1),
)  # fmt: skip
def test_a_verdict_is_that_of_every_point_of_the_interval(
    low: float, width: float, claimed: float, breadth: float, share: float
) -> None:
    """Each point by itself is in the range, beyond it, short of it, or across 1.

    A range on one side of 1 is a claim that something is faster, or slower, which points on both
    sides do not decide.
    """
    claim = dataclasses.replace(FASTER, low=claimed, high=claimed * breadth)

    def place(point: float) -> str:
        if claim.low <= point <= claim.high:
            return "in"
        faster = claim.high > 1
        seen, end = (point, claim.high) if faster else (1 / point, 1 / claim.low)
        return "beyond" if seen > end else "across" if seen < 1 else "short"

    high = low * width
    between = low * min(width, 1e6) ** share
    points = [low, high, *(p for p in (claim.low, claim.high, 1, between) if low <= p <= high)]
    places = {place(point) for point in points}
    if places == {"in"}:
        expected = {"reproduced"}
    elif "in" in places:
        widest = min(max(breadth, 1.05), 1.5625)
        expected = {"reproduced"} if width < widest else {"undecided"}
        if math.isclose(width, widest):  # then rounding may say either
            expected = {"reproduced", "undecided"}
        sides = {np.sign(point - 1) for point in (claim.low, claim.high)} - {0}
        if len(sides) == 1 and low < 1 < high:
            expected = {"undecided"}
    else:
        word = {"beyond": "stronger", "across": "contradicted"}
        expected = {word[places.pop()] if len(places) == 1 and "short" not in places else "weaker"}
    assert verdict(low, high, claim) in expected


@given(st.floats(0.01, 100), st.floats(1, 3))
def test_a_slowdown_is_judged_as_its_reciprocal(low: float, width: float) -> None:
    mirrored = dataclasses.replace(FASTER, low=1 / FASTER.high, high=1 / FASTER.low)
    high = low * width
    assert verdict(1 / high, 1 / low, mirrored) == verdict(low, high, FASTER)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["weaker", "undecided"], "Undecided: of the letter's two figures none holds as a whole; "
         "Cond1 is weaker; Cond2 is undecided."),
        (["reproduced", "undecided"], "In part: of the letter's two figures one holds (Cond1); "
         "Cond2 is undecided."),
        (["weaker", "weaker"], "No: of the letter's two figures none holds as a whole; "
         "Cond1 and Cond2 are weaker."),
    ],
)  # fmt: skip
def test_an_answer_does_not_decide_what_is_undecided(verdicts: list[str], said: str) -> None:
    found = answer(letters_rows(verdicts), "")
    assert found is not None
    assert found.sentence.startswith(said)


def letters_rows(verdicts: list[str], origin: str = "synthetic") -> pd.DataFrame:
    rows = pd.DataFrame({"condition": ["cond1", "cond2"], "verdict": verdicts, "origin": origin})
    return rows.assign(
        variant="multi_page",
        original="page_by_page",
        toolchain="cc",
        claim_low=1.0,
        speedup=2.0,
        slowed=0.0,
    )


def test_recorded_traces_answer_and_the_others_are_named_where_they_differ() -> None:
    recorded = letters_rows(["reproduced", "in part"], "recorded")
    captured = letters_rows(["weaker", "in part"], "captured")
    found = answer(pd.concat([captured, recorded]), "again at once")
    assert found is not None
    assert found.word == "In part"
    assert found.sentence == (
        "In part: of the letter's two figures one holds (Cond1) on recorded traces, "
        "each call again at once; Cond2 does in part. The patch is 2.00 times faster where it "
        "gains. Otherwise: Cond1 weaker on the captured trace."
    )
