"""Variants beside the code that they stand for: ``dirtyscan claims check``."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.claims.claim import read_claims
from harness.claims.fidelity import (
    BEYOND,
    MEMORY,
    WITHIN,
    fidelity,
    find_pairs,
    overall,
    said_of,
    split_names,
)
from harness.commands.claims_check import by_map
from harness.native.manifest import read_manifest
from harness.native.variant import VARIANTS
from harness.results.quiet import Quiet
from tests.conftest import Run

RESULTS = Path(__file__).parent.parent / "results"
MANIFEST = """
[variant.theirs]
sources = ["theirs.c"]
checks = "find_next_bit"
published = "somebody's, rev. 1"

[variant.another]
sources = ["theirs.c"]
"""


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A folder with somebody's code, which is dirtyscan's own here."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "dirtyscan.toml").write_text(MANIFEST)
    (folder / "theirs.c").write_text((VARIANTS / "next" / "find_next_bit.c").read_text())
    return folder


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.96, 1.04, "faithful"),
        (1 / 1.05, 1.05, "faithful"),
        (0.9, 0.95, "near"),
        (1.06, 7.0, "near"),
        (1.44, 1.47, "near"),
        (1 / 1.5, 0.7, "near"),
        (1.4, 1.5, "near"),
        (1.51, 1.6, "far"),
        (8.5, 8.7, "far"),
        (0.1, 0.66, "far"),
        (0.94, 1.0, "undecided"),
        (1.0, 1.06, "undecided"),
        (0.5, 2.0, "undecided"),
    ],
)
def test_an_interval_is_judged(low: float, high: float, expected: str) -> None:
    assert fidelity(low, high) == expected


@given(st.floats(0.1, 10), st.floats(1, 3))
def test_which_of_the_two_is_divided_by_the_other_does_not_matter(low: float, wide: float) -> None:
    high = low * wide
    edges = (1 / WITHIN, WITHIN, 1 / BEYOND, BEYOND)
    if all(abs(end - edge) > 1e-9 for end in (low, high, 1 / low, 1 / high) for edge in edges):
        assert fidelity(low, high) == fidelity(1 / high, 1 / low)


@given(st.floats(1.501, 1e6), st.floats(1, 3))
def test_code_that_takes_many_times_as_long_is_far_either_way(times: float, wide: float) -> None:
    assert fidelity(times, times * wide) == "far"
    assert fidelity(1 / (times * wide), 1 / times) == "far"


@pytest.mark.parametrize("folder", sorted(RESULTS.glob("*-fidelity")), ids=lambda it: it.name)
def test_committed_results_are_judged_as_they_say(folder: Path) -> None:
    rows = pd.read_csv(folder / "fidelity.csv")
    judged = [fidelity(*pair) for pair in zip(rows["low"], rows["high"], strict=True)]
    assert list(rows["verdict"]) == judged


def test_what_came_out_of_a_pair_is_one_sentence() -> None:
    rows = pd.DataFrame({"variant": "ours", "upstream": "theirs", "ratio": [0.99, 1.2, 0.8]})
    faithful = rows.assign(verdict="faithful")
    assert said_of(faithful) == "ours is faithful to theirs within 5% on all of 3 maps"
    some = rows.assign(verdict=["faithful", "near", "near"])
    assert said_of(some) == (
        "ours is near theirs, which takes 0.80 to 1.20 times as long on 2 of 3 maps"
    )
    other = rows.assign(ratio=[0.99, 8.6, 1.2], verdict=["undecided", "far", "near"])
    assert said_of(other) == (
        "ours is far from theirs, which takes 8.60 to 8.60 times as long on 1 of 3 maps: it does "
        "not stand for it"
    )
    unknown = rows.assign(verdict=["faithful", "undecided", "undecided"])
    assert said_of(unknown) == (
        "whether ours is faithful to theirs is undecided on 2 of 3 maps; give more with --budget"
    )


def test_a_pair_is_a_line_with_all_of_its_maps() -> None:
    of_one = {"variant": "ours", "toolchain": "cc", "upstream": "theirs"}
    rows = [
        {**of_one, "map": "x", "ratio": 1.0, "low": 0.99, "high": 1.01, "verdict": "faithful"},
        {**of_one, "map": "y", "ratio": 1.2, "low": 0.9, "high": 1.6, "verdict": "undecided"},
    ]
    more = [{**row, "variant": "other", "verdict": "faithful"} for row in rows]
    table = by_map(pd.DataFrame([*rows, *more]))
    assert [column.head for column in table.columns] == ["variant", "code", "x", "y", "verdict"]
    assert table.lines == (
        ("ours (cc)", "theirs", "1.00 ±1.0%", "?", "undecided"),
        ("other (cc)", "theirs", "1.00 ±1.0%", "?", "faithful"),
    )
    near = pd.DataFrame(rows).assign(verdict=["near", "undecided"])
    assert overall(near) == "near"
    assert overall(near.assign(verdict=["near", "far"])) == "far"


def test_a_pair_is_found_by_what_it_stands_for(upstream: Path) -> None:
    manifest = read_manifest(upstream)
    assert manifest
    claim = next(claim for claim in read_claims() if claim.name == "qemu-find-next")
    for names in ([], ["find_next_bit"]):
        (pair,) = find_pairs(manifest, [], names)
        assert (pair.variant.name, pair.variant.built_in) == ("find_next_bit", True)
        assert (pair.upstream.name, pair.upstream.built_in) == ("theirs", False)
        assert pair.published == "somebody's, rev. 1"
        assert pair.variant.operation == pair.upstream.operation == "next"
    with pytest.raises(BadInput, match="checks any of find_next_four, find_next_word; give its"):
        find_pairs(manifest, [claim], [])
    assert split_names(["qemu-find-next", "find_next_bit"], [claim]) == ([claim], ["find_next_bit"])
    with pytest.raises(BadInput, match="'qemu' is neither a claim nor a variant of dirtyscan's"):
        split_names(["qemu"], [claim])


@pytest.mark.usefixtures("short_runs")
def test_a_variant_is_timed_beside_the_code(
    dirtyscan: Run, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Quiet(0.4, 1.2, 1.19, 1.21)  # as beside a neighbour; the code itself is the same
    monkeypatch.setattr("harness.results.rows.find_quiet", lambda *_: alone)
    done = dirtyscan("claims", "check", "--upstream", str(upstream), "--output", "checked",
                     "--budget", "600")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "checked/fidelity.csv")
    assert len(rows) == 9
    assert set(rows["variant"]) == {"find_next_bit"}
    assert set(rows["upstream"]) == {"somebody's, rev. 1"}
    assert (rows["low"] <= rows["ratio"]).all()
    assert (rows["ratio"] <= rows["high"]).all()
    judged = [fidelity(*pair) for pair in zip(rows["low"], rows["high"], strict=True)]
    assert list(rows["verdict"]) == judged
    assert (rows["guest_memory_bytes"].head(5) == MEMORY.size).all()
    said = " ".join(done.stdout.split())
    assert said_of(rows) in said
    assert set(rows["quiet_verdict"]) == {"near"}
    for column, value in dataclasses.asdict(alone).items():
        if column != "quiet_verdict":
            assert set(rows[column.replace("speedup", "ratio")]) == {value}
    assert "something slowed the original by a quarter or more in 40 % of its rounds" in said
    # What the run itself finds is the machine's: only lines that are not near too are written.
    for row in rows.to_dict("records"):
        line = f"find_next_bit beside somebody's, rev. 1 on {row['map']}, in the others alone 1.20"
        assert (f"{line} ±0.8% (near)" in said) == (row["verdict"] != "near")
    alike = (rows["verdict"] == "near").sum()
    assert f"the others alone judge 9 of 9 lines, {alike} of them alike" in said
    table, _, _ = done.stdout.partition(said_of(rows))
    assert max(map(len, table.splitlines())) <= 100
    speedups = tmp_path / "checked/find_next_bit-theirs/speedups.csv"
    assert "find_next_bit" in speedups.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check"], "check needs --upstream, the folder with the code; name it."),
        (["run", "--upstream", "."], "--upstream is of 'dirtyscan claims check'; leave it out."),
        (["run", "--toolchain", "cc-era"], "--toolchain is of 'dirtyscan claims check'; leave"),
        (["check", "--upstream", "nowhere"], "there is no dirtyscan.toml in nowhere; write one"),
        (["check", "x", "--upstream", "upstream"], "'x' is neither a claim nor a variant"),
        (["check", "loop_bits", "--upstream", "upstream"], "checks any of loop_bits; give its"),
    ],
)
def test_what_cannot_be_checked(
    dirtyscan: Run, upstream: Path, arguments: list[str], sentence: str
) -> None:
    done = dirtyscan("claims", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_checked_is_a_variant_of_dirtyscans_own(upstream: Path, dirtyscan: Run) -> None:
    text = MANIFEST.replace("find_next_bit", "find_bit")
    (upstream / "dirtyscan.toml").write_text(text)
    done = dirtyscan("claims", "check", "--upstream", str(upstream))
    assert done.returncode == 2
    assert "[variant.theirs] checks 'find_bit', no variant of dirtyscan's own" in done.stderr
