"""The statistics on noise whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from harness.measurement.plan import MIN_PROCESSES
from harness.statistics.interval import Interval, centre, confidence_interval, process_log_speedup

SNAPSHOTS, ROUNDS = 12, 5
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def simulate(random: np.random.Generator, truth: NDArray[np.float64], layout: float) -> Pair:
    """One process on a noisy machine: seconds of the original and of a variant.

    The variant is ``truth`` times faster on each snapshot. Drift that both feel over the rounds,
    a layout effect that the process keeps, noise of each call that is correlated from round to
    round, and bursts in which a call takes up to a hundred times as long.
    """
    base = np.linspace(50e-6, 90e-6, SNAPSHOTS)
    drift = np.exp(np.cumsum(random.normal(0, 0.03, (ROUNDS, 1)), axis=0))
    luck = np.exp(random.normal(0, layout, 2))

    def noise() -> NDArray[np.float64]:
        own = random.normal(0, 0.01, (ROUNDS, SNAPSHOTS))
        return np.exp(own + 0.5 * np.vstack([own[:1], own[:-1]]))

    def bursts() -> NDArray[np.float64]:
        hit = random.random((ROUNDS, SNAPSHOTS)) < 0.05
        return np.where(hit, random.uniform(1, 100, hit.shape), 1.0)

    original = base * drift * noise() * bursts() * luck[0]
    variant = base / truth * drift * noise() * bursts() * luck[1]
    return original[:, np.newaxis], variant[:, np.newaxis]


def trace_speedup(truth: NDArray[np.float64]) -> float:
    base = np.linspace(50e-6, 90e-6, SNAPSHOTS)
    return float(base.sum() / (base / truth).sum())


@pytest.mark.parametrize("layout", [0.0, 0.002, 0.01])
def test_the_interval_covers_the_truth_as_often_as_it_says(layout: float) -> None:
    """With the stopping rule of a run: go on until the interval is narrow enough."""
    random = np.random.default_rng(11)
    truth = np.geomspace(3, 16, SNAPSHOTS)
    covered, runs = 0, 400
    for _ in range(runs):
        logs: list[float] = []
        while len(logs) < 40:
            logs.append(process_log_speedup(*simulate(random, truth, layout)))
            if len(logs) >= MIN_PROCESSES and confidence_interval(logs).half_width <= 0.005:
                break
        interval = confidence_interval(logs)
        covered += interval.low <= trace_speedup(truth) <= interval.high
    assert 0.92 <= covered / runs <= 0.98


def test_a_burst_into_one_call_changes_next_to_nothing() -> None:
    random = np.random.default_rng(1)
    original, variant = simulate(random, np.full(SNAPSHOTS, 5.0), 0)
    calm = process_log_speedup(original, variant)
    original[2, 0, 3] *= 1000
    variant[4, 0, 5] *= 1000
    assert abs(process_log_speedup(original, variant) - calm) < 0.01


@given(st.floats(0.01, 100), st.floats(0.1, 10))
def test_what_both_feel_cancels(truth: float, slower: float) -> None:
    """Whole rounds, or the whole machine, may be slower without a change of the ratio."""
    random = np.random.default_rng(2)
    original = random.uniform(1, 2, (1, 4, SNAPSHOTS)) * random.uniform(1, 9, (ROUNDS, 1, 1))
    variant = original / truth
    assert process_log_speedup(original, variant) == pytest.approx(np.log(truth), abs=1e-9)
    assert process_log_speedup(original * slower, variant * slower) == pytest.approx(
        np.log(truth), abs=1e-9
    )


def test_a_trace_is_the_ratio_of_its_sums_and_not_the_mean_of_its_ratios() -> None:
    original = np.array([[[1.0, 1.0]]])
    variant = np.array([[[0.1, 10.0]]])
    assert process_log_speedup(original, variant) == pytest.approx(np.log(2 / 10.1))


@pytest.mark.parametrize("processes", [6, 7, 10, 11, 15])
def test_the_interval_is_that_of_wilcoxons_test(processes: int) -> None:
    """A value lies in it if scipy's exact test does not reject it."""
    logs = np.random.default_rng(processes).standard_t(3, processes)
    found = confidence_interval(logs.tolist())
    low, high = np.log(found.low), np.log(found.high)
    for inside in (low + 1e-9, (low + high) / 2, high - 1e-9):
        assert stats.wilcoxon(logs - inside, method="exact").pvalue > 0.05
    for outside in (low - 1e-9, high + 1e-9, low - 1, high + 1):
        assert stats.wilcoxon(logs - outside, method="exact").pvalue <= 0.05


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_with_few_processes_it_is_students(logs: list[float]) -> None:
    found = confidence_interval(logs)
    error = stats.sem(logs)
    if error < 1e-9:
        return
    low, high = stats.t.interval(0.95, len(logs) - 1, loc=np.mean(logs), scale=error)
    assert np.log(found.low) == pytest.approx(low, abs=1e-9)
    assert np.log(found.high) == pytest.approx(high, abs=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=20), st.floats(-500, 500))
def test_a_process_that_is_off_moves_little(logs: list[float], off: float) -> None:
    """It moves the value no further than to another process's number."""
    moved = confidence_interval([*logs, off])
    assert min(logs) - 1e-9 <= np.log(moved.value) <= max(logs) + 1e-9


def test_the_centre_of_snapshots_is_that_of_the_interval() -> None:
    logs = np.random.default_rng(4).standard_t(2, (11, 7))
    values = [np.log(confidence_interval(column.tolist()).value) for column in logs.T]
    assert centre(logs) == pytest.approx(values)
    assert centre(logs[:1]) == pytest.approx(logs[0])


def test_one_process_has_no_interval() -> None:
    found = confidence_interval([0.5])
    assert found == Interval(found.value, 0.0, float("inf"))
    assert found.value == pytest.approx(np.exp(0.5))
    assert found.half_width == float("inf")
