"""When the gate says slower: rank tests and their correction, against simulation."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.gate.against import DECISIONS, LOOKS, looks_for
from harness.gate.decision import (
    ALPHA,
    compare_pairs,
    compare_runs,
    decide,
    fewest_for,
    holm,
    processes_for,
)
from harness.gate.finding import Change

RANDOM = np.random.default_rng(7)


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    rows = range(len(p_values))

    def rejected(row: int) -> bool:
        sets = (s for size in rows for s in itertools.combinations(rows, size + 1) if row in s)
        return all(min(p_values[i] for i in s) <= ALPHA / len(s) for s in sets)

    assert holm(p_values, ALPHA) == [rejected(row) for row in rows]


@pytest.mark.parametrize("looks", [1, 3])
@pytest.mark.parametrize("rows", [1, 8, 24, 400])
def test_there_are_enough_processes_to_reject_anything(rows: int, looks: int) -> None:
    processes = processes_for(rows, looks)
    logs = np.full(processes, math.log(0.9)) + RANDOM.normal(0, 1e-4, processes)
    assert compare_pairs(logs.tolist(), 0.01).p <= ALPHA / looks / rows
    # One process that disagrees does not hide a drop.
    logs[0] = 0.02
    assert compare_pairs(logs.tolist(), 0.01).p <= ALPHA / looks / rows


@pytest.mark.parametrize("rows", [1, 2, 8, 16, 400])
def test_there_is_a_look_as_soon_as_all_processes_can_make_a_row_slower(rows: int) -> None:
    first = fewest_for(rows, DECISIONS)
    assert {*LOOKS, first} == set(looks_for(rows))
    logs = np.full(first, math.log(0.9)) + RANDOM.normal(0, 1e-4, first)
    for seen, change in ((first - 1, Change.UNDECIDED), (first, Change.SLOWER)):
        compared = [compare_pairs(logs[:seen].tolist(), 0.01)] * rows
        assert decide(compared, [0.01] * rows, looks=DECISIONS)[0] is change


def test_looking_several_times_makes_no_false_alarms() -> None:
    """Rows that are slower by just the tolerance, looked at as often as the gate does."""
    alarms = 0
    for _ in range(500):
        logs = RANDOM.standard_t(3, (4, 60)) * 0.01 + math.log(0.95)
        for seen in (*looks_for(4)[1:], 60):
            compared = [compare_pairs(row[:seen].tolist(), 0.05) for row in logs]
            if Change.SLOWER in decide(compared, [0.05] * 4, looks=DECISIONS):
                alarms += 1
                break
    assert alarms <= 15  # 5 are expected at most; 16 come once in 14,000 times


def test_what_would_be_slower_once_in_a_while_is_not_after_several_looks() -> None:
    compared = [dataclasses.replace(compare_pairs(_noise(0.1), 0.01), p=ALPHA / 2)]
    assert decide(compared, [0.01]) == [Change.SLOWER]
    assert decide(compared, [0.01], looks=3) != [Change.SLOWER]


@pytest.mark.parametrize("kind", ["pairs", "runs"])
def test_a_drop_of_just_the_tolerance_is_hardly_ever_called_slower(kind: str) -> None:
    alarms = 0
    for _ in range(1000):
        logs = RANDOM.standard_t(3, 16) * 0.01 + math.log(0.95)
        if kind == "pairs":
            compared = compare_pairs(logs.tolist(), 0.05)
        else:
            before = RANDOM.standard_t(3, 16) * 0.01
            compared = compare_runs(logs.tolist(), before.tolist(), 0.05)
        alarms += decide([compared], [0.05]) == [Change.SLOWER]
    assert alarms <= 25  # 10 are expected at most; 25 come once in 10,000 times


def test_the_interval_of_two_runs_contains_the_truth() -> None:
    covered = 0
    for _ in range(1000):
        after = RANDOM.standard_t(3, 14) * 0.01 + math.log(0.97)
        before = RANDOM.standard_t(3, 20) * 0.01
        interval = compare_runs(after.tolist(), before.tolist(), 0.05).interval
        covered += interval.low <= 0.97 <= interval.high
    assert 925 <= covered <= 975


@given(st.lists(st.floats(-0.1, 0.1), min_size=8, max_size=20), st.floats(-0.2, 0.2))
@settings(deadline=None)
def test_what_all_processes_gain_is_what_the_row_gains(logs: list[float], shift: float) -> None:
    still = compare_runs(logs, logs, 0.05).interval
    moved = compare_runs([log + shift for log in logs], logs, 0.05).interval
    assert math.isclose(moved.value, still.value * math.exp(shift), rel_tol=1e-9)
    assert math.isclose(still.value, 1, abs_tol=1e-12)


def _noise(width: float) -> list[float]:
    return [float(value) for value in np.linspace(-width, width, 16)]


@pytest.mark.parametrize(
    ("logs", "change"),
    [
        (_noise(0.002), Change.UNCHANGED),
        (_noise(0.1), Change.UNDECIDED),
        ([x - 0.05 for x in _noise(0.002)], Change.SLOWER),
        ([x + 0.05 for x in _noise(0.002)], Change.FASTER),
        # Too noisy to name the drop, but it is one for certain.
        ([x - 0.3 for x in _noise(0.1)], Change.SLOWER),
    ],
)
def test_the_answer_to_a_row(logs: list[float], change: Change) -> None:
    assert decide([compare_pairs(logs, 0.01)], [0.01]) == [change]
