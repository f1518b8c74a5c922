"""Several results as one document: to be pasted, or for another program."""

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Run

RESULTS = Path(__file__).parent.parent / "results"
EPYC, XEON = RESULTS / "amd-epyc-26-2", RESULTS / "intel-xeon-processor"
STUDIES = [RESULTS / f"amd-epyc-{cpu}-density" for cpu in ("26-2", "25-17")]


def rows_of(dirtyscan: Run, form: str, *folders: Path) -> pd.DataFrame:
    done = dirtyscan("report", *map(str, folders), "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    if form == "csv":
        return pd.read_csv(io.StringIO(done.stdout))
    return pd.DataFrame(json.loads(done.stdout))


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose missing cells are alike, whatever else is in their columns."""
    return rows.astype(object).where(rows.notna(), "")


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("folders", [[EPYC, XEON], STUDIES], ids=["runs", "studies"])
def test_several_results_are_one_document_with_the_name_of_each(
    form: str, folders: list[Path], dirtyscan: Run
) -> None:
    rows = rows_of(dirtyscan, form, *folders)
    assert rows.columns[0] == "results"
    assert list(dict.fromkeys(rows["results"])) == [folder.name for folder in folders]
    for folder in folders:
        alone = rows_of(dirtyscan, form, folder)
        assert "results" not in alone
        there = rows[rows["results"] == folder.name].reset_index(drop=True)
        pd.testing.assert_frame_equal(plain(there[list(alone)]), plain(alone))


def test_markdown_has_a_table_below_each_name(dirtyscan: Run) -> None:
    done = dirtyscan("report", str(EPYC), str(XEON), "--format", "markdown")
    parts = [dirtyscan("report", str(one), "--format", "markdown").stdout for one in (EPYC, XEON)]
    assert done.stdout == f"{EPYC.name}:\n\n{parts[0]}\n{XEON.name}:\n\n{parts[1]}"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_rows_of_other_kinds_are_no_one_table(form: str, dirtyscan: Run) -> None:
    done = dirtyscan("report", str(EPYC), str(STUDIES[0]), "--format", form)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{EPYC.name} is a run and {STUDIES[0].name} is one of study density" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_results_of_one_name_have_their_paths(dirtyscan: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(EPYC, tmp_path / name / "latest", ignore=shutil.ignore_patterns("plots"))
    rows = rows_of(dirtyscan, "json", Path("a/latest"), Path("b/latest"))
    assert set(rows["results"]) == {"a/latest", "b/latest"}
