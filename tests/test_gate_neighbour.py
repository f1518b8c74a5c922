"""A gate beside a neighbour: what is of a shared core is called neither slower nor as fast."""

from pathlib import Path

import pandas as pd
import pytest

from harness.measurement.run import Run
from tests.test_gate import FAST, NOTHING, SOURCE, WORK, Gate, gate, hasty, refused, words
from tests.test_gate_reference import MEASURE, Make, reference
from tests.test_gate_update import UPDATE, brief, settings

__all__ = ["brief", "gate", "hasty", "reference"]  # fixtures
SAID = "something slowed the original by a quarter or more in 40% of its rounds"


def with_neighbour(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Run, "slowed", 0.4)


def test_a_reference_that_was_made_beside_one_is_not_compared(gate: Gate, reference: Make) -> None:
    machine = {"state": {}, "during": {"slowed": 0.4}, "disturbed": [SAID]}
    folder = reference({"machine": machine})
    answer = gate("--baseline", str(folder), *MEASURE)
    assert answer.status == 3, answer
    assert f"{SAID}; make it anew" in words(answer)


@pytest.mark.usefixtures("brief")
def test_what_is_measured_beside_one_is_not_compared_with_a_reference(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much slower it seems: the reference is made out to be four times as fast."""
    settings(tmp_path, ["multi_page"], [])
    assert gate(*UPDATE).status == 0
    path = tmp_path / "kept" / "processes.csv"
    table = pd.read_csv(path)
    table.assign(speedup=4 * table["speedup"]).to_csv(path, index=False)
    ask = ("--baseline", "kept", "--tolerance", "60%", *MEASURE)
    assert gate(*ask).status == 1
    with_neighbour(monkeypatch)
    answer = gate(*ask)
    assert answer.status == 3, answer
    assert f"{SAID} here; ask again when nothing does" in words(answer)


@pytest.mark.usefixtures("brief")
def test_no_reference_is_made_beside_one(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(tmp_path, ["multi_page"], [])
    assert gate(*UPDATE).status == 0
    kept = {path: path.read_bytes() for path in (tmp_path / "kept").glob("*.*")}
    with_neighbour(monkeypatch)
    refused(gate, UPDATE, f"{SAID}, so this would be a reference of a core that somebody shares")
    assert {path: path.read_bytes() for path in (tmp_path / "kept").glob("*.*")} == kept


@pytest.mark.usefixtures("hasty")
def test_a_requirement_is_not_called_missed_beside_one(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_neighbour(monkeypatch)
    answer = gate("--require", "cond1 multi_page captured >= 500", *FAST)
    assert answer.status == 3, answer
    assert SAID in words(answer)
    answer = gate("--require", "cond1 multi_page captured >= 1.01", *FAST)
    assert answer.status == 0, answer


@pytest.mark.usefixtures("hasty")
def test_both_sides_of_a_revision_are_beside_it_and_that_is_said(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.c").write_text(SOURCE % NOTHING)
    (tmp_path / "slow.c").write_text(SOURCE % WORK)
    with_neighbour(monkeypatch)
    answer = gate("--against", "old.c", "slow.c", *FAST)
    assert answer.status == 1, answer
    assert SAID in words(answer)
