"""Shares of the limit: each of its own toolchain, and none of a limit that is none."""

from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from harness.report.variants import ladder_table
from harness.results.limits import find_limits
from harness.results.result import SPEEDUPS, read_table

RESULT = Path(__file__).parent.parent / "results" / "amd-epyc-26-2-variants"


@pytest.fixture
def rows() -> pd.DataFrame:
    table = read_table(RESULT, SPEEDUPS)
    # On a Zen 5 clang's reading of a byte map takes as long as its vectors: hardly a limit.
    limit = (table["variant"] == "read_limit") & (table["original_toolchain"] == "clang-era")
    table.loc[limit, "speedup"] *= 1.1
    return table[~table["noise_floor"]]


def expected(rows: pd.DataFrame, variant: str, limit: str, toolchain: str) -> float:
    """Return the least ratio of two rows of the same trace and toolchain, by plain indexing."""
    keys = ["condition", "origin"]
    of = rows[rows["original_toolchain"] == toolchain].set_index(["variant", *keys])["speedup"]
    return float((of[variant] / of[limit]).min())


@pytest.mark.parametrize("toolchain", ["cc-era", "clang-era"])
@pytest.mark.parametrize(
    ("variant", "limit"),
    [
        ("avx2", "read_limit"),
        ("word_sum", "read_limit"),
        ("bitmap_avx512", "bitmap_read_limit"),
    ],
)
def test_each_row_has_the_limit_of_its_own_toolchain(
    toolchain: str, variant: str, limit: str, rows: pd.DataFrame
) -> None:
    """The page once gave clang's speedups as shares of gcc's limit: 0.55 where 0.99 is right."""
    right = expected(rows, variant, limit, toolchain)
    assert find_limits(rows).share(variant, toolchain) == pytest.approx(right)
    cells = {(line[0], line[2]): line[5] for line in ladder_table(rows).lines}
    assert cells[variant, toolchain] == f"{right:.2f}"


def test_a_limit_that_is_none_is_named(rows: pd.DataFrame) -> None:
    slow = (rows["variant"] == "read_limit") & (rows["original_toolchain"] == "clang-era")
    rows.loc[slow, "speedup"] /= 1.21
    (fault,) = find_limits(rows).faults
    assert "the limit of a byte map with clang-era is none: avx512_vnni is 1.1" in fault


def test_what_does_not_read_the_map_beats_no_limit_and_has_no_share_of_it(
    rows: pd.DataFrame,
) -> None:
    """A roaring bitmap has counted its pages before: it was said to beat reading a bitmap."""
    rows.loc[rows["variant"] == "pyroaring", "speedup"] *= 2
    before = find_limits(rows[rows["variant"] != "pyroaring"])
    limits = find_limits(rows)
    assert limits.faults == before.faults
    assert isnan(limits.share("pyroaring", "cc-era"))
    assert limits.share("bitmap_avx512", "cc-era") == before.share("bitmap_avx512", "cc-era") < 1


def test_a_limit_that_is_beaten_is_none(rows: pd.DataFrame) -> None:
    slow = rows["bound"] & (rows["map"] == "byte map") & (rows["original_toolchain"] == "cc-era")
    rows.loc[slow, "speedup"] /= 3
    limits = find_limits(rows)
    assert isnan(limits.share("avx2", "cc-era"))
    assert isnan(limits.share("word_sum", "cc-era"))
    assert not isnan(limits.share("avx2", "clang-era"))
    assert not isnan(limits.share("bitmap_avx512", "cc-era"))
    (fault,) = limits.faults
    assert "limit of a byte map with cc-era is none" in fault
    cells = {(line[0], line[2]): line[5] for line in ladder_table(rows).lines}
    assert cells["avx2", "cc-era"] == ""
