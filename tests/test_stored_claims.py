"""Committed claims: how they are shown, and that they are judged as they would be now."""

import dataclasses
import io
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from harness.claims.claim import read_claims
from harness.claims.verdict import verdict
from harness.presentation.table import format_number, format_range
from tests.conftest import Run
from tests.test_verdicts import FASTER

STORED = Path(__file__).parent.parent / "results" / "amd-epyc-26-2-claims"


def test_a_terminal_keeps_figures_whole(dirtyscan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = dirtyscan("report", str(STORED))
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(STORED / "claims.csv")
    lines = done.stdout.splitlines()
    assert max(map(len, lines[: len(rows)])) <= 80
    for row in rows.to_dict("records"):
        written = f"{re.escape(format_number(row['speedup']))} "
        if math.isnan(row["speedup"]):
            written = ".*not measured"
        if row["claimed_high"] < math.inf:
            claimed = format_range(row["claimed_low"], row["claimed_high"])
            written = rf"{re.escape(claimed)} +{written}"
        found = [line for line in lines if re.search(rf"^{row['claim']} .* {written}", line)]
        assert found, row["claim"]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.85, 0.95, "0.85-0.95"), (99.6, 119.5, "100-120")]
)
def test_a_range_is_written_without_an_exponent(low: float, high: float, expected: str) -> None:
    assert format_range(low, high) == expected


@pytest.mark.parametrize("result", [path.name for path in STORED.parent.glob("*-claims")])
def test_stored_claims_are_judged_as_they_would_be_now(result: str) -> None:
    over = {claim.name for claim in read_claims() if claim.over_calls}
    table = STORED.parent / result / "claims.csv"
    rows = [row for row in pd.read_csv(table).to_dict("records") if row["claim"] not in over]
    kinds = (("speedup", "verdict"), ("beside", "beside_verdict"), ("quiet", "quiet_verdict"))
    judged = 0
    for row in rows:
        claim = dataclasses.replace(FASTER, low=row["claimed_low"], high=row["claimed_high"])
        for of, word in kinds:
            low, high = (row.get(f"{of}_{end}", math.nan) for end in ("low", "high"))
            if not math.isnan(low):
                assert row[word] == verdict(low, high, claim), (row["claim"], row["workload"], of)
                judged += 1
    assert judged > len(rows)


def test_a_stored_table_of_claims_is_written_as_the_documentation_has_it(dirtyscan: Run) -> None:
    done = dirtyscan("report", str(STORED), "--format", "markdown")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(STORED / "claims.csv")
    head, _, *lines = done.stdout.splitlines()
    assert head.startswith("| claim | about | claimed | measured | by placement | verdict |")
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows.to_dict("records"), strict=True):
        assert line.startswith(f"| {row['claim']} | {row['workload']} |")
        measured = not math.isnan(row["speedup"])
        assert (format_number(row["speedup"]) if measured else "not measured") in line
        assert row["verdict"] in line
    as_csv = dirtyscan("report", str(STORED), "--format", "csv").stdout
    assert pd.read_csv(io.StringIO(as_csv)).equals(rows)
