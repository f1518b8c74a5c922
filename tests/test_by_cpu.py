"""Results of several machines beside each other."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.measurement.plan import OTHER_WORK
from harness.report.by_cpu import cpu_names, tables_by_cpu
from harness.report.stored import Stored
from harness.results.environment import before_each
from harness.studies import questions
from tests.conftest import Run

RESULTS = Path(__file__).parent.parent / "results"
EPYC, XEON = RESULTS / "amd-epyc-26-2", RESULTS / "intel-xeon-processor"


def other(tmp_path: Path, name: str, part: str = "") -> Path:
    """Copy a stored result, or what lies beside it, as if of another CPU."""
    folder = tmp_path / f"{name}{part}"
    shutil.copytree(f"{EPYC}{part}", folder, ignore=shutil.ignore_patterns("*-*", "plots"))
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["cpu"] |= {"model": "Another CPU", "generation": ""}
    path.write_text(json.dumps(environment))
    return folder


def test_only_what_two_have_is_shown() -> None:
    runs, variants = tables_by_cpu([Stored(EPYC), Stored(XEON)])
    both = [pd.read_csv(folder / "speedups.csv") for folder in (EPYC, XEON)]
    names = [
        {tuple(row) for row in rows[~rows["noise_floor"]][["condition", "origin"]].to_numpy()}
        for rows in both
    ]
    assert {tuple(line[0].split()) for line in runs.lines} == names[0] & names[1]
    first = both[0][(both[0]["condition"] == "cond1") & (both[0]["origin"] == "captured")].iloc[0]
    (line,) = (line for line in runs.lines if line[0] == "cond1 captured")
    assert line[2].startswith(f"{first['speedup']:.2f} ")
    assert line[2].endswith(first["verdict"])
    assert all(all(line) for line in variants.lines)
    assert tables_by_cpu([Stored(EPYC)]) == []


def test_claims_are_set_beside_each_other(tmp_path: Path) -> None:
    there = other(tmp_path, "there", "-claims").with_name("there")
    shutil.copytree(EPYC, there, ignore=shutil.ignore_patterns("plots"))
    path = tmp_path / "there-claims/claims.csv"
    rows = pd.read_csv(path)
    rows.loc[rows["claim"] == "ch-8859", "verdict"] = "reproduced"
    rows.to_csv(path, index=False)
    tables = {table.title: table for table in tables_by_cpu([Stored(EPYC), Stored(there)])}
    claims = tables["Claims by CPU"]
    assert len(claims.lines) == len(rows)
    (line,) = (line for line in claims.lines if line[0] == "ch-8859")
    assert line[4].endswith("reproduced")
    (open_,) = {line[2] for line in claims.lines if line[0] == "qemu-merge"}
    assert open_ == "above 1"  # whose end was written as inf


def test_of_a_machine_with_a_neighbour_the_other_rounds_are_shown() -> None:
    there = RESULTS / "amd-epyc-25-1"
    runs, *_ = tables_by_cpu([Stored(EPYC), Stored(there)])
    rows = pd.read_csv(there / "speedups.csv")
    row = rows[(rows["condition"] == "cond1") & (rows["origin"] == "recorded")].iloc[0]
    (line,) = (line for line in runs.lines if line[0] == "cond1 recorded")
    assert line[3].startswith(f"not slowed: {row['quiet_speedup']:.2f} ")
    assert line[3].endswith(row["quiet_verdict"])
    assert not line[2].startswith("not slowed")


def test_what_is_of_a_shared_core_alone_says_so(tmp_path: Path) -> None:
    """A row whose other rounds are too few, and a study, which has none."""
    there = tmp_path / "there"
    shutil.copytree(EPYC, there, ignore=shutil.ignore_patterns("plots"))
    shutil.copytree(f"{EPYC}-toolchains", tmp_path / "there-toolchains")
    rows = pd.read_csv(there / "speedups.csv")
    rows.assign(slowed=0.4).to_csv(there / "speedups.csv", index=False)
    shutil.copytree(f"{EPYC}-claims", tmp_path / "there-claims")
    claims = tmp_path / "there-claims/claims.csv"
    table = pd.read_csv(claims).assign(slowed=0.4, quiet_verdict="")
    table[["quiet_speedup", "quiet_low", "quiet_high"]] = 2.0
    table.to_csv(claims, index=False)
    path = tmp_path / "there-toolchains/environment.json"
    environment = json.loads(path.read_text())
    environment["machine"]["during"]["slowed"] = 0.4
    path.write_text(json.dumps(environment))
    tables = {table.title: table for table in tables_by_cpu([Stored(EPYC), Stored(there)])}
    for line in tables["Speedups by CPU"].lines:
        assert line[3] == f"beside a neighbour: {line[2]}"
    assert tables["Claims by CPU"].lines[0][-1] == "not slowed: 2.00 ±0.0%"
    *_, here, beside = tables[questions()["toolchains"].text].columns
    assert beside.head.endswith(", beside a neighbour")
    assert not here.head.endswith(", beside a neighbour")


def test_studies_are_set_beside_each_other(tmp_path: Path) -> None:
    """A line says what the table of its study has, of each CPU of its own."""
    parts = ("toolchains", "assumptions", "density", "size", "tick", "operations", "placement")
    there = tmp_path / "there"
    shutil.copytree(EPYC, there, ignore=shutil.ignore_patterns("plots"))
    for part in parts:
        shutil.copytree(f"{EPYC}-{part}", tmp_path / f"there-{part}")
    path = there.with_name("there-toolchains") / "toolchains.csv"
    here = pd.read_csv(path)
    here.assign(speedup=2 * here["speedup"]).to_csv(path, index=False)
    tables = {table.title: table for table in tables_by_cpu([Stored(EPYC), Stored(there)])}
    asked = [questions()[part].text for part in parts]
    assert [title for title in tables if title in asked] == [
        text.text for name, text in questions().items() if name in parts
    ]
    compilers = tables[questions()["toolchains"].text]
    gains = here[(here["toolchain"] == "clang-era") & (here["variant"] == "multi_page")]["speedup"]
    (line,) = (line for line in compilers.lines if line[:2] == ("clang-era", "multi_page"))
    assert [float(end) for end in line[2].split(" to ")] == pytest.approx(
        [gains.min(), gains.max()], rel=0.006
    )
    assert [float(end) for end in line[3].split(" to ")] == pytest.approx(
        [2 * gains.min(), 2 * gains.max()], rel=0.006
    )
    operations = pd.read_csv(Path(f"{EPYC}-operations") / "operations.csv")
    worst = operations.groupby(["operation", "map", "variant"])["share_of_best"].min()
    lines = tables[questions()["operations"].text].lines
    assert {line[:3] for line in lines} == set(worst.index)
    for line in lines:
        assert float(line[3].split()[0]) == pytest.approx(worst[line[:3]], abs=0.006)
    maps = pd.read_csv(Path(f"{EPYC}-density") / "density.csv")
    maps = maps[maps["trace"].isna() & (maps["variant"] == "multi_page")]
    (line,) = (row for row in tables[questions()["density"].text].lines if row[0] == "multi_page")
    slower = (maps["speedup_high"] < 1).sum()
    assert line[2].endswith(f"slower on {slower} of {len(maps)} maps")


def test_what_came_before_tells_two_results_of_one_cpu_apart(tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(EPYC, again)
    path = again / "environment.json"
    environment = json.loads(path.read_text())
    environment["layout"] |= {"between": 0.0, "other_work": False}
    path.write_text(json.dumps(environment))
    environment["layout"]["other_work"] = OTHER_WORK
    path = other(tmp_path, "there") / "environment.json"
    path.write_text(json.dumps(environment))
    first, second = cpu_names([Stored(again), Stored(path.parent)])
    assert first.removesuffix(", again at once") == second.removesuffix(", after other work")


def test_two_results_of_one_cpu_have_their_names_too(tmp_path: Path) -> None:
    same = tmp_path / "same"
    shutil.copytree(EPYC, same)
    there = other(tmp_path, "there")
    names = cpu_names([Stored(folder) for folder in (EPYC, same, there)])
    assert names[2] == f"Another CPU, {before_each(Stored(there).environment)}"
    assert names[0].endswith(", amd-epyc-26-2")
    assert names[1].endswith(", same")


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_command_shows_them(dirtyscan: Run, form: str) -> None:
    done = dirtyscan("report", str(EPYC), str(XEON), "--format", form)
    assert done.returncode == 0, done.stderr
    assert ("Speedups by CPU" in done.stdout) == (form == "table")
    assert max(map(len, done.stdout.splitlines())) <= 80 or form != "table"
