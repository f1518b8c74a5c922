"""What is asked for: names are found once, and what they stand for is in order."""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.doctor import gates
from harness.doctor.harmless import HARMLESS, MOVED
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Draft, condition_traces
from harness.native.toolchain import find_toolchains
from harness.statistics.spacing import evenly_spaced
from workloads.captured import captured_trace
from workloads.conditions import find_condition
from workloads.guest import GuestMemory
from workloads.recorded import recorded_trace

CONDITIONS = [find_condition(name) for name in ("cond2", "cond1", "cond2")]


def test_the_traces_of_a_condition_lie_beside_each_other_once() -> None:
    traces = condition_traces(CONDITIONS)
    names = [one.name if isinstance(one, Draft) else one for one in traces]
    assert names == [
        *(recorded_trace("cond2"), "cond2", captured_trace("cond2")),
        *(recorded_trace("cond1"), "cond1", captured_trace("cond1")),
    ]


def test_captured_traces_are_of_their_own_guest_alone() -> None:
    assert not condition_traces(CONDITIONS, ("captured",), GuestMemory(4 * 2**20))
    assert len(condition_traces(CONDITIONS, ("captured",))) == 2


def test_a_setting_is_refused_even_where_nothing_is_made_by_it() -> None:
    with pytest.raises(BadInput, match="parameter 'nothing' is not known"):
        condition_traces(CONDITIONS, ("captured",), settings={"": {"nothing": 1}})


def test_a_lineup_has_each_toolchains_original_before_and_after() -> None:
    choice = choose(["multi_page", "multi_page", "page_by_page"])
    lineup = line_up(choice, find_toolchains())
    assert [lane.label for lane in lineup.lanes] == [
        "page_by_page", "multi_page", "page_by_page again",
    ]  # fmt: skip
    assert [lane.is_judged for lane in lineup.lanes] == [True, True, False]
    assert all(Path(lane.library).is_file() for lane in lineup.lanes)
    assert len(line_up(choice, find_toolchains(), noise_floor=False).lanes) == 2


@given(count=st.integers(1, 5000), wanted=st.integers(2, 200))
def test_an_even_choice_has_both_ends_and_no_wide_gap(count: int, wanted: int) -> None:
    chosen = evenly_spaced(count, wanted)
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    assert len(chosen) == min(count, wanted)
    gaps = np.diff(chosen)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_the_calibration_of_the_gate_asks_only_what_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(trial: gates.Trial, _: Path) -> gates.Gate:
        asked.append(trial.round)
        if len(asked) == stop:
            raise KeyboardInterrupt
        return gates.Gate(trial, "unchanged", 1.0, 1.0, 0.1)

    monkeypatch.setattr(gates, "_ask", ask)
    path, kinds = tmp_path / "calibration.csv", len(gates.KINDS) + 1
    asked: list[int] = []
    stop = 2 * kinds
    with pytest.raises(KeyboardInterrupt):
        gates.calibrate_gate(6, path, lambda *_: None)
    # The first round has a reference besides.
    assert len(pd.read_csv(path)) == 2 * kinds - 1
    asked, stop = [], 0
    table = gates.calibrate_gate(6, path, lambda *_: None)
    assert asked == [1] * 2 + [2] * kinds + [3] * kinds + [4] * kinds + [5] * (kinds + 1)
    again = table[["evidence", "extra_work", "round", "change"]]
    assert not again.duplicated().any()
    of_references = table[table["evidence"] == "reference"]
    assert of_references["round"].tolist() == [0, 5]
    assert of_references["busy"].tolist() == [False, True]
    assert [*table["round"]] == sorted(table["round"])
    # What is taken out of the table is asked again, and nothing else.
    table[table["evidence"] != "reference"].to_csv(path, index=False)
    asked = []
    gates.calibrate_gate(6, path, lambda *_: None)
    assert asked == [0, 5]
    assert len(pd.read_csv(path)) == len(table)


def test_the_calibration_of_the_gate_asks_about_each_variant_and_change_idle_and_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of four were always asked busy, so that what load did looked like theirs."""
    monkeypatch.setattr(
        gates, "_ask", lambda trial, _: gates.Gate(trial, "unchanged", 1.0, 1.0, 0.1)
    )
    monkeypatch.setattr(gates, "_busy_loops", contextlib.nullcontext)
    table = gates.calibrate_gate(56, tmp_path / "calibration.csv", lambda *_: None)
    moved = table[table["change"] != ""]
    asked = set(moved[["variant", "change", "busy"]].itertuples(index=False, name=None))
    assert asked == set(itertools.product(MOVED, HARMLESS, (False, True)))
    of_references = table[table["evidence"] == "reference"]
    assert set(of_references["busy"]) == {False, True}
