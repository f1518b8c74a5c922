"""Claims and verdicts."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claims.claim import Claim, find_claim, read_claims, verdict
from harness.claims.settlement import group_claims
from harness.native.variant import built_in_variants
from tests.conftest import Run
from workloads.conditions import CONDITIONS

FASTER = Claim("f", "", "", "count", "o", "v", 8.0, 16.0, "", ("c",))
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


ENTRY = """
[[claim]]
name = "mine"
source = "me"
date = "2026"
operation = "drain"
original = "fetch_and_all"
variant = "skip_clean"
density = 0.1
guest_memory = "64MiB"
figure = 2.0
note = ""
"""
BAD = {
    "no TOML": ("[[claim]]\nname = \n", "claims mine.toml are no TOML: Invalid value (at line 2"),
    "no tables": ('claim = "x"', "claims mine.toml have no [[claim]] tables"),
    "a field too few": (ENTRY.replace('note = ""', ""), "claim 'mine' in mine.toml lacks note"),
    "a field too many": (ENTRY + "colour = 1", "claim 'mine' in mine.toml has colour"),
    "operation": (ENTRY.replace('"drain"', '"sort"'), "operation 'sort' is not known"),
    "variant": (ENTRY.replace("skip_clean", "skip_all"), "variant 'skip_all' of operation drain"),
    "other operation": (ENTRY.replace("skip_clean", "per_word"), "variant 'per_word' of operation"),
    "two workloads": (ENTRY + 'conditions = ["cond1"]', "is about conditions and density"),
    "no workload": (ENTRY.replace("density = 0.1", ""), "is about nothing; give one workload"),
    "condition": (ENTRY.replace("density = 0.1", 'conditions = ["cond9"]'), "'cond9' is not known"),
    "density": (ENTRY.replace("density = 0.1", "density = 1.5"), "a density of 1.5"),
    "figure": (ENTRY.replace("figure = 2.0", 'figure = "twice"'), "cannot be read"),
    "no figure": (ENTRY.replace("figure = 2.0", ""), "cannot be read (KeyError('low')"),
    "size": (ENTRY.replace('"64MiB"', '"big"'), "'big' is not a size"),
}


@pytest.mark.parametrize("what", BAD)
def test_claims_that_cannot_be_read(what: str, dirtyscan: Run, tmp_path: Path) -> None:
    text, sentence = BAD[what]
    (tmp_path / "mine.toml").write_text(text)
    done = dirtyscan("claims", "list", "--claims", "mine.toml")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_claim_that_is_not_known(dirtyscan: Run) -> None:
    done = dirtyscan("claims", "run", "letter-cond9")
    assert done.returncode == 2
    assert "claim 'letter-cond9' is not known; choose from letter-cond1" in done.stderr


def test_claims_are_listed(dirtyscan: Run) -> None:
    done = dirtyscan("claims")
    assert done.returncode == 0
    assert {claim.name for claim in read_claims()} <= set(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_claim_of_ones_own_is_settled_without_code(dirtyscan: Run, tmp_path: Path) -> None:
    entry = ENTRY.replace('"fetch_and_all"', '"skip_lines_vector"')
    entry = entry.replace('"skip_clean"', '"mine.c"').replace("figure = 2.0", "low = 0.001")
    source = built_in_variants("drain")["skip_lines_vector"].sources[0]
    (tmp_path / "mine.c").write_text(source.read_text(encoding="utf-8"))
    (tmp_path / "mine.toml").write_text(entry)
    options = ["--claims", "mine.toml", "--precision", "50%", "--budget", "5"]
    done = dirtyscan("claims", "run", "mine", *options)
    if "which this CPU lacks" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "results/claims/claims.csv").to_dict("records")
    assert row["verdict"] == "reproduced"
    assert row["guest_memory_bytes"] == 64 * 2**20
    assert 0.5 < row["speedup"] < 2
    assert row["captured_low"] <= row["captured_high"]
    assert (tmp_path / "plots/claims.png").stat().st_size > 5000
    environment = json.loads((tmp_path / "results/claims/environment.json").read_text())
    assert environment["toolchains"]


def test_a_claim_about_a_larger_guest_is_scaled_and_says_so() -> None:
    (claim,) = (claim for claim in read_claims() if claim.name == "ch-7468-1")
    assert claim.guest_memory == 12 * 2**40
    assert claim.scaled_to == 16 * 2**30
    assert claim.unscaled().scaled_to == claim.guest_memory
    (small,) = (claim for claim in read_claims() if claim.name == "ch-8899-sparse-1")
    assert small.scaled_to == small.guest_memory == 64 * 2**30


def test_claims_of_one_original_are_measured_together() -> None:
    groups = group_claims(read_claims())
    assert sum(len(group.claims) for group in groups) == len(read_claims())
    assert len({group.name for group in groups}) == len(groups)
    for group in groups:
        assert {(c.operation, c.original) for c in group.claims} == {
            (group.operation, group.original)
        }


def test_a_pair_without_a_claim_has_none() -> None:
    assert find_claim("count", "page_by_page", "multi_page", "cond1")
    assert find_claim("count", "page_by_page", "page_by_page", "cond1") is None
    assert find_claim("count", "page_by_page", "multi_page", None) is None


def test_names_may_follow_options(dirtyscan: Run) -> None:
    said = dirtyscan("claims", "run", "--budget", "5", "no-such-claim")
    assert (said.returncode, said.stdout) == (2, "")
    assert "no-such-claim" in said.stderr
