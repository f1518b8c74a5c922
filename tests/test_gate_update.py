"""How stored references are made, and what keeps one from it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.commands import gate_update
from harness.gate import speedups
from harness.gate.counts import Counted, Counts
from harness.native.built_variant import rust_obstacle
from tests.needs import needs
from tests.test_gate import (
    NOTHING,
    SOURCE,
    Gate,
    gate,
    hasty,
    refused,
    words,
)
from tests.test_gate_reference import MEASURE

__all__ = ["gate", "hasty"]  # fixtures


def test_without_valgrind_nothing_is_measured_for_a_reference(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(gate_update, "prepare", lambda *_: pytest.fail("it is measured"))
    refused(gate, ["--update", "--baseline", "made"], "apt-get install valgrind")


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch, hasty: None) -> None:
    """Making a reference without the minute in which valgrind counts everything."""
    of_rust = [] if rust_obstacle() else ["rustc-release"]
    counted = {
        Counted("count", "multi_page", name, "cond1 captured"): 1.0 for name in ("cc-era", *of_rust)
    }
    monkeypatch.setattr(gate_update, "require_valgrind", lambda: "")
    monkeypatch.setattr(gate_update, "PROCESSES", 4)
    monkeypatch.setattr(speedups, "processes_for", lambda _: 4)
    monkeypatch.setattr(gate_update, "PRECISION", 1e6)
    monkeypatch.setattr(gate_update, "count_all", lambda *_: Counts(counted, (), ()))


def settings(folder: Path, variants: list[str], requirements: list[str]) -> None:
    table = f"variants = {json.dumps(variants)}\nrequirements = {json.dumps(requirements)}\n"
    (folder / "pyproject.toml").write_text(f"[tool.dirtyscan.gate]\n{table}")


BOTH = ("kept", "kept-next")
UPDATE = ["--update", "--baseline", "kept", *MEASURE]


@pytest.mark.usefixtures("brief")
def test_a_reference_is_made_kept_and_guarded(gate: Gate, tmp_path: Path) -> None:
    settings(tmp_path, ["multi_page"], ["cond1 multi_page >= 2"])
    assert gate(*UPDATE).status == 0
    first = json.loads((tmp_path / "kept" / "gate.json").read_text())
    assert first["requirements"] == ["cond1 multi_page >= 2"]
    assert first["replaced"] == []
    environment = json.loads((tmp_path / "kept" / "environment.json").read_text())
    # The version of each compiler, without which its counts cannot be compared.
    recorded = {made["name"] for made in environment["toolchains"]}
    assert recorded == {toolchain for _, _, toolchain, *_ in first["instructions"]}
    # A requirement is not lowered in passing.
    settings(tmp_path, ["multi_page"], ["cond1 multi_page >= 1.5"])
    refused(gate, UPDATE, "is lowered to 1.5")
    assert gate(*UPDATE, "--lower-requirements").status == 0
    second = json.loads((tmp_path / "kept" / "gate.json").read_text())
    assert second["replaced"][0]["requirements"] == ["cond1 multi_page >= 2"]
    assert second["replaced"][0]["speedups"]["cond1-captured/multi_page/cc-era"] > 1
    # And it serves.
    answer = gate("--baseline", "kept", "--tolerance", "60%", *MEASURE)
    assert answer.status == 0, answer
    said = (
        "3 rows of 1 variant (count) timed against reference kept; 1 requirement checked on 3 rows"
    )
    assert said in words(answer)


@needs("valgrind")
def test_what_is_counted_against_a_reference_is_tried_before(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, hasty: None, tmp_path: Path
) -> None:
    """valgrind counts nonsense as well, which may take fewer instructions."""
    monkeypatch.setattr(gate_update, "PROCESSES", 4)
    monkeypatch.setattr(gate_update, "PRECISION", 1e6)
    for name in ("mine", "other"):
        (tmp_path / f"{name}.c").write_text(SOURCE % NOTHING)
    settings(tmp_path, ["mine.c", "other.c"], [])
    update = ["--update", "--baseline", "results/mine-gate", *MEASURE]
    assert gate(*update).status == 0
    assert gate("--instructions").status == 0
    (tmp_path / "mine.c").write_text(SOURCE % "dirty += page == 0;")
    answer = gate("--instructions")
    assert answer.status == 1, answer
    assert "failed: variant mine (cc-era) counts " in words(answer)
    assert "in snapshot 1 of 3 of cond1 captured" in words(answer)
    assert "4 rows of 1 variant (count) counted in instructions" in words(answer)


@pytest.mark.usefixtures("brief")
def test_no_reference_is_made_of_what_is_wrong_where_it_is_counted(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings(tmp_path, ["multi_page"], [])
    wrong = Counts({}, ("variant x (cc-era) counts 1 dirty pages where there are 2",), ())
    monkeypatch.setattr(gate_update, "count_all", lambda *_: wrong)
    refused(gate, UPDATE, "where there are 2; no reference can be made of it.")
    assert not (tmp_path / "kept/gate.json").exists()


@pytest.mark.usefixtures("brief")
def test_a_reference_of_a_file_of_ones_own_serves_in_its_folder(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mine.c").write_text(SOURCE % NOTHING)
    settings(tmp_path, ["src/mine.c"], ["cond1 src/mine.c >= 20"])
    answer = gate(*UPDATE)
    assert answer.status == 2
    assert "the project requires 20" in answer.err  # whether or not that many are certain
    assert not (tmp_path / "kept" / "gate.json").exists()
    settings(tmp_path, ["src/mine.c"], ["cond1 src/mine.c >= 0.01"])
    assert gate(*UPDATE).status == 0
    answer = gate("--baseline", "kept", "--tolerance", "60%", *MEASURE)
    assert answer.status == 0, answer
    assert "3 rows of 1 variant (count) timed against reference kept" in words(answer)
    # Where the file is not, there is nothing to compare it with, and that is said.
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "src" / "mine.c").unlink()
    answer = gate("--baseline", "kept", *MEASURE)
    assert answer.status == 3
    assert "mine (count), src/mine.c is not here any more" in words(answer)


@pytest.mark.usefixtures("brief")
def test_each_operation_has_a_reference_of_its_own(gate: Gate, tmp_path: Path) -> None:
    of_next = "cond1 find_next_inline captured >= 0.01"
    settings(tmp_path, ["multi_page", "find_next_inline"], [of_next])
    assert gate(*UPDATE).status == 0
    made = {name: json.loads((tmp_path / name / "gate.json").read_text()) for name in BOTH}
    assert [made[name]["operation"] for name in BOTH] == ["count", "next"]
    assert [made[name]["requirements"] for name in BOTH] == [[], [of_next]]
    answer = gate("--baseline", "kept", "--requirements", "--tolerance", "60%", *MEASURE)
    assert answer.status == 0, answer
    said = words(answer)
    assert "3 rows of 1 variant (count) timed against reference kept" in said
    assert "3 rows of 1 variant (next) timed against reference kept-next" in said
    assert "1 requirement checked on 1 row" in said
    # Of one that is not there any more nothing is compared, and of the other what there is.
    shutil.rmtree(tmp_path / "kept")
    answer = gate("--baseline", "kept", "--tolerance", "60%", *MEASURE)
    assert answer.status == 0, answer
    assert "3 rows of 1 variant (next) timed against reference kept-next" in words(answer)


@pytest.mark.usefixtures("brief")
def test_a_row_may_lose_what_is_said_of_it(gate: Gate, tmp_path: Path) -> None:
    """The reference is made out to be twice as fast as what was measured."""
    settings(tmp_path, ["multi_page"], [])
    assert gate(*UPDATE).status == 0
    table = pd.read_csv(tmp_path / "kept" / "processes.csv")
    table["speedup"] *= 2
    table.to_csv(tmp_path / "kept" / "processes.csv", index=False)
    ask = ("--baseline", "kept", *MEASURE)
    assert gate(*ask).status == 1
    path = tmp_path / "pyproject.toml"
    text = path.read_text()
    path.write_text(text + 'tolerances = ["cond1 multi_page = 80%"]\n')
    assert gate(*ask).status == 0
    path.write_text(text + 'tolerances = ["cond1 multi_page captured = 80%"]\n')
    answer = gate(*ask)
    assert answer.status == 1
    assert "slower on 2 of 3 traces" in words(answer)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("cond1 word_test >= 1", "word_test has no row on cond1; rows are of multi_page"),
        ("cond1 page_by_page >= 1", "page_by_page has no row"),
    ],
)
def test_a_requirement_that_is_not_measured_makes_no_reference(
    gate: Gate, tmp_path: Path, requirement: str, said: str
) -> None:
    settings(tmp_path, ["multi_page"], [requirement])
    answer = gate(*UPDATE)
    assert answer.status == 2
    assert said in answer.err
