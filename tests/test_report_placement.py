"""What the tables say of placement."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.report.placement import (
    depends,
    mark,
    placement_notes,
    unvaried_note,
    verdict_with_share,
)
from harness.report.run_table import noise_floor, results_text
from harness.results.result import SPEEDUPS, read_table
from harness.results.speedups import misses_one

STORED = Path(__file__).parents[1] / "results" / "intel-xeon-processor"


@pytest.fixture
def rows() -> pd.DataFrame:
    """Rows of a run, of which none depends on placement."""
    found = read_table(STORED, SPEEDUPS)
    return found.assign(
        placement_low=found["speedup"], placement_high=found["speedup"], verdict_share=1.0
    )


def first(rows: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    """Return ``rows`` with the patch on the first trace changed."""
    place = rows.index[rows["variant"] == "multi_page"][0]
    for name, value in changes.items():
        rows.loc[place, name] = value
    return rows


def test_nothing_is_said_where_placement_does_nothing(rows: pd.DataFrame) -> None:
    assert placement_notes(rows) == []
    assert unvaried_note(rows) == ""
    assert not rows.apply(depends, axis=1).any()


def test_a_row_that_depends_on_placement_is_marked(rows: pd.DataFrame) -> None:
    changed = first(rows, placement_low=7.0, placement_high=14.0, verdict_share=0.75)
    row = changed[changed["variant"] == "multi_page"].iloc[0].to_dict()
    assert mark(row) == "~"
    assert verdict_with_share(row) == f"{row['verdict']} in 75% of placements"
    where, verdict = placement_notes(changed)
    assert where == "~ multi_page depends on where its code lies: 7-14 (cond1 synthetic)"
    assert verdict.endswith("cond1 synthetic 75%")
    assert "| ~" not in results_text(changed, "markdown")
    assert "| 7-14 |" in results_text(changed, "markdown")


def test_what_was_not_varied_is_named_and_what_is_older_is_not(rows: pd.DataFrame) -> None:
    fixed = first(rows, placement_low=float("nan"), placement_high=float("nan"))
    assert unvaried_note(fixed).startswith("placement of multi_page not varied")
    assert unvaried_note(read_table(STORED, SPEEDUPS)) == ""


@pytest.mark.parametrize(
    ("low", "value", "high", "missed"),
    [(0.99, 1.0, 1.01, False), (1.001, 1.006, 1.011, False), (1.01, 1.02, 1.03, True),
     (0.97, 0.98, 0.99, True), (0.0, 1.2, float("inf"), False)],
)  # fmt: skip
def test_a_noise_floor_that_is_not_1_is_told_from_chance(
    low: float, value: float, high: float, missed: bool, rows: pd.DataFrame
) -> None:
    """One interval in twenty misses 1; one that is half as wide again hardly ever does."""
    assert misses_one({"speedup_low": low, "speedup": value, "speedup_high": high}) == missed
    place = rows.index[rows["noise_floor"]][0]
    rows.loc[place, ["speedup_low", "speedup", "speedup_high"]] = low, value, high
    assert ("verdicts there may be the machine's" in noise_floor(rows)) == missed
