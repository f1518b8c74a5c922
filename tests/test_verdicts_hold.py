"""Whether the verdicts of a result are those of its figures."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.results.found import Kind
from harness.results.verify import verify_folder
from tests.test_packs import REFERENCE, RESULTS
from tests.test_verified import _column


@pytest.mark.parametrize("name", ["amd-epyc-26-2-variants", "amd-epyc-26-2-claims",
                                  "intel-xeon-processor-variants"])  # fmt: skip
def test_verdicts_are_judged_as_far_as_what_there_is_decides_them(
    name: str, tmp_path: Path
) -> None:
    """Without single calls by their shares, and by the interval what is older than these."""
    folder = tmp_path / "result"
    shutil.copytree(RESULTS / name, folder)
    for path in folder.rglob("speedups.csv"):
        _column("speedups.csv", "verdict", lambda all_: all_.replace("weaker", "reproduced"))(
            path.parent
        )
    faults = [one.what for one in verify_folder(folder) if one.kind is Kind.FAULT]
    assert any("is 'reproduced', and its figures make 'weaker'" in what for what in faults)


def test_what_the_other_rounds_say_of_a_claim_is_judged_too(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    shutil.copytree(RESULTS / "amd-epyc-25-1-claims" / "merge-ffs_byte", folder)
    _column("speedups.csv", "quiet_verdict", lambda all_: all_.replace("reproduced", "weaker"))(
        folder
    )
    faults = [one.what for one in verify_folder(folder) if one.kind is Kind.FAULT]
    assert any("is 'weaker', and its figures make 'reproduced'" in what for what in faults)


def test_what_an_earlier_rule_has_judged_is_said_and_no_fault(tmp_path: Path) -> None:
    """That the interval holds 1 left nothing undecided before. Of other claims nothing is known."""
    folder = tmp_path / "result"
    shutil.copytree(RESULTS / "amd-epyc-26-2-claims" / "merge-ffs_byte", folder)
    rows = pd.read_csv(folder / "speedups.csv", keep_default_na=False)
    place = rows.index[rows["claim"] == "qemu-merge-2010"][0]
    rows.loc[place, ["speedup", "speedup_low", "speedup_high"]] = (1.0, 0.999, 1.001)
    rows.loc[place, "variant_seconds"] = rows.loc[place, "original_seconds"]
    rows.loc[place, "verdict"] = "reproduced"
    other = rows.index[rows["claim"] == "qemu-merge-2010"][1]
    rows.loc[other, "claim"] = "mine"
    rows.to_csv(folder / "speedups.csv", index=False)
    found = list(verify_folder(folder))
    assert not [one for one in found if one.kind is Kind.FAULT]
    said = [one.what for one in found if one.kind is Kind.REMARK]
    assert any("make 'undecided', by a rule that version 0.2.0" in what for what in said)
    assert any("mine is no claim that this dirtyscan knows" in what for what in said)


def test_calls_that_are_no_speedups_are_no_calls(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    shutil.copytree(REFERENCE, folder)
    _column("snapshots.csv", "speedup", lambda speedup: "-1")(folder)
    assert [one for one in verify_folder(folder) if one.kind is Kind.FAULT]
