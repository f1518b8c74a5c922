"""Results that contradict themselves, which `results verify` finds."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.results.found import Kind
from harness.results.result import SPEEDUPS, read_table
from harness.results.verify import verify_folder
from tests.conftest import Run
from tests.test_packs import PLAIN, REFERENCE, RESULTS


def _cell(name: str, column: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rows = pd.read_csv(folder / name, keep_default_na=False, dtype=str)
        rows.loc[0, column] = str(value)
        rows.to_csv(folder / name, index=False)

    return change


def _column(
    name: str, column: str, change: Callable[["pd.Series[str]"], "pd.Series[Any] | str"]
) -> Callable[[Path], None]:
    """Change all of a column, which stays text where it is not made another."""

    def changed(folder: Path) -> None:
        rows = pd.read_csv(folder / name, keep_default_na=False, dtype=str)
        rows[column] = change(rows[column])
        rows.to_csv(folder / name, index=False)

    return changed


def _ten_times_as_fast(folder: Path) -> None:
    rows = pd.read_csv(folder / "snapshots.csv")
    rows.loc[rows["variant"] == "multi_page", "seconds"] /= 10
    rows.to_csv(folder / "snapshots.csv", index=False)


def _layout(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "environment.json").read_text())
        document["layout"] |= changes
        (folder / "environment.json").write_text(json.dumps(document))

    return change


def _pyperf(change: Callable[[Any], object]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        document = json.loads((folder / "pyperf.json").read_text())
        change(document)
        (folder / "pyperf.json").write_text(json.dumps(document))

    return changed


def _without_rows(name: str) -> Callable[[Path], None]:
    return lambda folder: pd.read_csv(folder / name).iloc[1:].to_csv(folder / name, index=False)


FIRST = read_table(RESULTS / "amd-epyc-26-2", SPEEDUPS).iloc[0]
"""A row of what is made wrong below."""
INSIDE = (FIRST["speedup"] + FIRST["speedup_low"]) / 2
MADE = f"processes.csv: they make {FIRST['speedup']:.6g}"
WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "a speedup": (_cell("speedups.csv", "speedup", INSIDE), MADE),
    "an interval": (_cell("speedups.csv", "speedup_low", INSIDE), MADE),
    "processes": (
        _cell("speedups.csv", "processes", 60),
        f"has 60 processes and the plan {FIRST['processes']}",
    ),
    "a process is gone": (
        _without_rows("processes.csv"),
        f"{FIRST['processes'] - 1} processes of multi_page on cond1",
    ),
    "a process is another": (_cell("processes.csv", "speedup", 12.0), "processes.csv: they make"),
    "a call is gone": (
        _without_rows("snapshots.csv"),
        f"snapshots.csv: {FIRST['snapshots']} calls of multi_page",
    ),
    "a call is slower": (_cell("snapshots.csv", "seconds", 1.0), "its original's calls take"),
    "precision": (_layout(precision=0.0001), "is called precise"),
    "rounds": (_layout(rounds=5), "pyperf.json: cond1-recorded/page_by_page/cc-era has [3] rounds"),
    "another trace": (_layout(traces={"cond1-recorded": "ab"}), "measured on another trace"),
    "no calibration": (
        _pyperf(lambda suite: suite["benchmarks"][0]["runs"].pop(0)),
        "has 0 calibrations",
    ),
    "a series is gone": (
        _pyperf(lambda suite: suite["benchmarks"].pop(1)),
        "nothing of cond1-recorded/multi_page/cc-era",
    ),
    "huge seconds": (
        _pyperf(lambda suite: suite["benchmarks"][1]["runs"][1].update(values=[1e300] * 3)),
        "pyperf.json is damaged",
    ),
    "a variant was faster": (
        _pyperf(lambda suite: [run.update(values=[value / 2 for value in run.get("values", ())])
                               for run in suite["benchmarks"][1]["runs"]]),
        "pyperf.json: its rounds make",
    ),
    "the variants' seconds": (
        _column("speedups.csv", "variant_seconds", lambda seconds: seconds.astype(float) / 10),
        "multi_page (cc-era) on cond1 recorded takes",
    ),
    "a digit of a variant's seconds": (
        _cell("speedups.csv", "variant_seconds", FIRST["variant_seconds"] * 1.0000001),
        "multi_page (cc-era) on cond1 recorded takes",
    ),
    "seconds of a variant's calls": (
        _ten_times_as_fast,
        "snapshots.csv: calls of multi_page on cond1-recorded take",
    ),
    "verdicts": (
        _column("speedups.csv", "verdict", lambda verdict: "reproduced"),
        "on cond1 recorded is 'reproduced', and its figures make 'weaker'",
    ),
    "a verdict without a claim": (
        _column("speedups.csv", "verdict", lambda verdict: verdict.replace("", "weaker")),
        "page_by_page again (cc-era) on cond1 recorded has a verdict, 'weaker', and no claim",
    ),
    "a claim": (
        _cell("speedups.csv", "claim_low", 6),
        "letter-cond1 on cond1 recorded is said to claim 6 to 16, and claims 8 to 16",
    ),
    "calls within": (
        _cell("speedups.csv", "calls_within", 0.5),
        "calls_within of multi_page (cc-era) on cond1 recorded is 0.5, and its calls make 0.04",
    ),
    "nine tenths of calls": (_cell("speedups.csv", "calls_high", 9), "calls_high of multi_page"),
}  # fmt: skip


def test_rounds_of_a_result_without_a_plan_are_as_many_in_each_process(
    tmp_path: Path, dirtyscan: Run
) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    for name in ("speedups.csv", "pyperf.json"):
        shutil.copy(REFERENCE / name, folder)
    assert dirtyscan("results", "verify", "result").returncode == 0
    _pyperf(lambda suite: suite["benchmarks"][0]["runs"][1]["values"].pop())(folder)
    done = dirtyscan("results", "verify", "result", str(PLAIN))
    assert (done.returncode, done.stderr) == (1, "")
    name = "cond1-recorded/page_by_page/cc-era"
    assert f"pyperf.json: {name} has [2, 3] rounds a process, and every" in done.stdout
    assert f"{PLAIN}: it holds" in done.stdout  # the next is looked at all the same


def test_where_calls_were_interrupted_their_sums_are_others_and_it_is_said(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    WRONG["a variant was faster"][0](folder)
    document = json.loads((folder / "environment.json").read_text())
    document["machine"]["disturbed"] = ["other programs kept 1.74 CPUs busy"]
    (folder / "environment.json").write_text(json.dumps(document))
    found = [one for one in verify_folder(folder) if "its rounds make" in one.what]
    assert [one.kind for one in found] == [Kind.REMARK]


@pytest.mark.parametrize("how", WRONG)
def test_what_contradicts_itself_is_found(how: str, tmp_path: Path, dirtyscan: Run) -> None:
    change, said = WRONG[how]
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    change(folder)
    done = dirtyscan("results", "verify", "result")
    assert done.returncode == 1, done
    assert said in done.stdout
    assert dirtyscan("results", "pack", "result").returncode == 2  # nor is it given on


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speedup,speedup_low,speedup_high\n3,1,2\n", "row 1: its speedup is not in its interval"),
        ("quiet_speedup,quiet_low,quiet_high\n3,3,2\n", "its quiet_speedup is not in its interval"),
        ("quiet_speedup,quiet_low,quiet_high\n3,3,x\n", "a value of quiet_high is no number"),
        ("speedup,speedup_low,speedup_high\n3,x,4\n", "a value of speedup_low is no number"),
        ("seconds\n-1\n", "a value of seconds is below 0"),
        ("pages\n1e30\n", "a value of pages is no number that is measured"),
        ("evidence,extra_work,outcome\na,b,c\n", "it does not say by how much"),
        ("a,b\n", "it has no rows"),
    ],
)
def test_a_table_of_a_study_that_cannot_be_right(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_text(text)
    faults = [one for one in verify_folder(tmp_path) if one.kind is Kind.FAULT]
    assert [one.member for one in faults] == ["study.csv"]
    assert said in faults[0].what


def test_what_a_gate_missed_is_said(tmp_path: Path) -> None:
    text = "evidence,extra_work,outcome\na,0.02,unchanged\na,0.02,slower\na,0,slower\n"
    (tmp_path / "calibration.csv").write_text(text)
    said = [one.what for one in verify_folder(tmp_path) if one.kind is Kind.REMARK]
    assert "1 of 1 gates called slower what is unchanged" in said
    assert "1 of 2 gates missed what is 2% slower" in said


def test_a_noise_floor_that_is_not_1_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    rows = pd.read_csv(REFERENCE / "speedups.csv", keep_default_na=False)
    floors = rows["noise_floor"].astype(str) == "True"
    rows.loc[floors, ["speedup", "speedup_low", "speedup_high"]] = (1.1, 1.09, 1.11)
    rows.to_csv(folder / "speedups.csv", index=False)
    said = [one.what for one in verify_folder(folder) if one.kind is Kind.REMARK]
    assert sum("the noise floor on cond1 recorded (cc-era) is 1.1000" in what for what in said) == 1
