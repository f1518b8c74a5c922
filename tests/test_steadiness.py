"""A neighbour on the core: it is found by what the original takes, and other rounds are told."""

import dataclasses
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.doctor import core
from harness.doctor.core import inspect_core
from harness.machine.state import Disturbance
from harness.measurement import run as measurement_run
from harness.measurement.experiment import Experiment
from harness.measurement.samples import Samples
from harness.native.placement import CLASSES, DRAWS
from harness.native.stopwatch import Snapshots, Stopwatch
from harness.presentation.quiet import quiet_notes
from harness.report.answer import answer
from harness.results.quiet import FEWEST
from harness.results.result import SPEEDUPS, read_table
from harness.statistics.interval import Seconds, confidence_interval, process_log_speedup
from harness.statistics.steadiness import slowed_rounds
from tests.conftest import Run, store

SLOWED = vars(measurement_run.Run)["slowed"]
ROUNDS, SNAPSHOTS = 3, 100
QUIET, SHARED = 8.0, 10.0
"""Speedups on a core of one's own, and on one that is shared."""
ORIGINAL = np.array([1.4, 1.4, 2.2, 2.2])
"""What a neighbour makes of the original, by class, as on a Zen 3; the variant's is such that the
speedup is that of a shared core."""


def snapshot_times(random: np.random.Generator) -> Seconds:
    """Return what the original takes on each snapshot, which are the same in all processes."""
    return 5e-5 * random.uniform(0.5, 1, SNAPSHOTS)


def process(
    random: np.random.Generator, slowed: NDArray[np.bool_], times: Seconds
) -> tuple[Seconds, Seconds]:
    """Return what the original and a variant take, (rounds, classes, snapshots).

    Args:
        slowed: which rounds, (rounds,), or calls, of that shape.
    """
    shape = len(slowed), CLASSES, SNAPSHOTS
    clean = times * np.ones(shape)
    slowed = np.broadcast_to(slowed.reshape(len(slowed), *slowed.shape[1:] or (1, 1)), shape)
    original = np.where(slowed, clean * ORIGINAL[:, None], clean)
    share = np.where(slowed, SHARED, QUIET)
    variant = original / share
    return tuple(one * random.lognormal(0, 0.04, shape) for one in (original, variant))  # type: ignore[return-value]


def places(number: int) -> list[int]:
    return [(number + class_) % DRAWS * CLASSES + class_ for class_ in range(CLASSES)]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0, 0.8))
def test_the_rounds_that_a_neighbour_slowed_are_found(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    # Each place is seen without a neighbour too, or nobody knows what it takes there.
    slowed = [random.random(ROUNDS) < share for _ in range(4 * DRAWS)]
    for number in range(DRAWS):
        slowed[number][0] = False
    times = snapshot_times(random)
    found = []
    for one in slowed:
        noisy, _ = process(random, one, times)
        # Interrupts, in a fiftieth of all calls, are not what slows a round.
        noisy[random.random(noisy.shape) < 0.02] *= 50
        found.append(noisy)
    told = slowed_rounds(found, [places(number) for number in range(len(found))])
    assert [one.tolist() for one in told] == [one.tolist() for one in slowed]


def test_the_other_rounds_alone_give_what_a_core_of_ones_own_does() -> None:
    """And all of them together something in between, with an interval that is as narrow."""
    covered = together = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        # Half of the processes at each place, so that each is seen without a neighbour too.
        by_place = random.permuted(np.tile([[True], [False]], (3, DRAWS)), axis=0)
        slowed = [np.repeat(one, ROUNDS) for one in by_place.ravel()]
        snapshots = snapshot_times(random)
        processes = [process(random, one, snapshots) for one in slowed]
        times = [original for original, _ in processes]
        told = slowed_rounds(times, [places(number) for number in range(len(times))])
        logs = [
            process_log_speedup(original[~one], variant[~one])
            for (original, variant), one in zip(processes, told, strict=True)
            if not one.all()
        ]
        assert len(logs) == sum(not one.all() for one in slowed)
        alone = confidence_interval(logs)
        covered += alone.low <= QUIET <= alone.high
        assert alone.value == pytest.approx(QUIET, rel=0.005)
        every = confidence_interval([process_log_speedup(*pair) for pair in processes])
        together += every.low <= QUIET <= every.high
    assert covered >= 90
    assert together <= 10


def visited(random: np.random.Generator, rounds: float) -> NDArray[np.bool_]:
    """Return which calls of 24 processes a neighbour slows who comes for about so many rounds.

    He is there half of the time, and for how long he stays and is away has no memory. A process
    calls snapshot after snapshot, at each of its placements.
    """
    shape = (24, ROUNDS, SNAPSHOTS, CLASSES)
    lengths = random.exponential(rounds * SNAPSHOTS * CLASSES, 2 + int(8 * 24 * ROUNDS / rounds))
    ends = np.cumsum(lengths)
    assert ends[-1] > np.prod(shape)
    turns = np.searchsorted(ends, np.arange(np.prod(shape))) + random.integers(2)
    return np.moveaxis((turns % 2 == 0).reshape(shape), 2, 3)


@pytest.mark.parametrize("rounds", [1, 2, 5, 20])
def test_so_do_they_where_a_neighbour_comes_and_goes_within_them(rounds: float) -> None:
    """A round of which he slowed some calls is neither one of a core of one's own."""
    covered = told = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        snapshots = snapshot_times(random)
        processes = [process(random, one, snapshots) for one in visited(random, rounds)]
        slowed = slowed_rounds([one for one, _ in processes], [places(n) for n in range(24)])
        logs = [
            process_log_speedup(original[~one], variant[~one])
            for (original, variant), one in zip(processes, slowed, strict=True)
            if not one.all()
        ]
        if len(logs) >= FEWEST:
            alone = confidence_interval(logs)
            told += 1
            covered += alone.low <= QUIET <= alone.high
    assert told >= 90
    assert covered >= 0.7 * told


@pytest.fixture(autouse=True)
def as_it_is_found(nobody_shares_the_core: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests do not want to know."""
    monkeypatch.setattr(measurement_run.Run, "slowed", SLOWED)


class Machine:
    """What each process is said to have taken, in the place of what it took."""

    def __init__(self, slowed: int, of: int) -> None:
        self._random = np.random.default_rng(1)
        self._slowed, self._of = slowed, of
        self._number = 0

    def samples(self, samples: Samples) -> Samples:
        if not samples.places:  # the calibration
            return samples
        busy = self._number % self._of < self._slowed
        self._number += 1
        made = {}
        for key, elapsed in samples.elapsed.items():
            rounds, lanes, classes, snapshots = elapsed.shape
            pace = np.linspace(1, 2, snapshots)
            original = pace * 5e-5 * (ORIGINAL[:classes, None] if busy else np.ones((classes, 1)))
            faster = np.array([1.0, *([SHARED if busy else QUIET] * (lanes - 2)), 1.0])
            every = original / faster[:, None, None] * np.ones((rounds, 1, 1, 1))
            made[key] = every * self._random.lognormal(0, 0.02, every.shape)
        return dataclasses.replace(samples, elapsed=made)


def measured(
    machine: Machine, dirtyscan: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[pd.DataFrame, str, dict[str, Any]]:
    store(folder / "guest.trace", [np.arange(4096) % 7 < tick % 7 for tick in range(8)])
    take = Experiment._take
    monkeypatch.setattr(Experiment, "_take", lambda one, given: take(one, machine.samples(given)))
    options = ("--precision", "0.2", "--variant", "multi_page", "--no-other-work")
    done = dirtyscan("bench", "--trace", str(folder / "guest.trace"), *options)
    assert done.returncode == 0, done.stderr
    rows = read_table(folder / "results/latest", SPEEDUPS)
    environment = json.loads((folder / "results/latest/environment.json").read_text())
    return rows[~rows["noise_floor"]], " ".join(done.stdout.split()), environment["machine"]


def test_a_run_beside_a_neighbour_says_so_and_what_the_others_say(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, said, machine = measured(Machine(2, 5), dirtyscan, tmp_path, monkeypatch)
    (row,) = rows.to_dict("records")
    assert row["slowed"] == pytest.approx(0.4, abs=0.1)
    assert row["quiet_speedup"] == pytest.approx(QUIET, rel=0.01)
    assert row["quiet_low"] <= QUIET <= row["quiet_high"]
    assert row["speedup"] > 1.02 * QUIET
    percent = f"{100 * row['slowed']:.0f} %"
    assert f"slowed the original by a quarter or more in {percent} of its rounds" in said
    assert f"in the others alone multi_page: test imported {row['quiet_speedup']:.2f}" in said
    assert machine["during"]["slowed"] == pytest.approx(row["slowed"])
    (evidence,) = (one for one in machine["disturbed"] if "slowed the original" in one)
    assert f"disturbed: {evidence}" in said


def test_a_run_without_one_says_nothing(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, said, machine = measured(Machine(0, 1), dirtyscan, tmp_path, monkeypatch)
    (row,) = rows.to_dict("records")
    assert row["slowed"] == 0
    assert np.isnan(row["quiet_speedup"])
    assert row["quiet_verdict"] == ""
    assert "slowed the original" not in said
    assert machine["during"]["slowed"] == 0


def test_from_a_tenth_of_the_rounds_on_a_run_is_called_disturbed() -> None:
    assert Disturbance(60, 0, 0, 0, 0.1).evidence() == []
    (sentence,) = Disturbance(60, 0, 0, 0, 0.11).evidence()
    assert "11%" in sentence


@pytest.mark.parametrize(("share", "good"), [(0.0, True), (0.05, True), (0.5, False)])
def test_the_doctor_sees_a_neighbour_that_comes_and_goes(
    share: float, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    calls = itertools.count()

    def time_pass(_: Stopwatch, snapshots: Snapshots, variants: list[object], *__: object) -> Any:
        busy = next(calls) // 40 % 20 < 20 * share  # for whole rounds
        quick = 5e4 * random.lognormal(0, 0.03, len(variants))
        return (quick * (ORIGINAL if busy else 1))[:, None], None

    monkeypatch.setattr(Stopwatch, "time_pass", time_pass)
    fact = inspect_core(0.5)
    assert fact.good == good
    said = re.match(r"(\d+)% of (\d+) rounds", fact.state)
    assert said
    assert float(said[1]) == pytest.approx(100 * share, abs=6)
    assert fact.remedy or good


def test_the_doctor_sees_nothing_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise BadInput("there is no C compiler.")

    monkeypatch.setattr(core, "default_toolchain", missing)
    fact = inspect_core()
    assert (fact.state, fact.good) == ("not visible (there is no C compiler)", True)


def letters(quiet: float | None, variants: int = 1) -> pd.DataFrame:
    rows = pd.DataFrame({"condition": ["cond1", "cond2"], "claim_low": [8.0, 0.25]})
    rows = rows.assign(
        origin="recorded", original="page_by_page", toolchain="cc", original_toolchain="cc",
        claim_high=16.0, speedup=[9.0, 0.5], verdict="weaker", slowed=[0.6, 0.8], paid_in="",
        noise_floor=False, quiet_verdict="in part",
    )  # fmt: skip
    for name, factor in (("speedup", 1), ("low", 0.99), ("high", 1.01)):
        rows[f"quiet_{name}"] = np.nan if quiet is None else rows["speedup"] * quiet * factor
    names = ["multi_page", *(f"other_{number}" for number in range(variants - 1))]
    return pd.concat([rows.assign(variant=name) for name in names], ignore_index=True)


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        (letters(0.8), ["in 60 to 80 % of its rounds", "in the others alone multi_page: cond1 "
         "recorded 7.20 ±1.0% (in part), cond2 recorded 0.40 ±1.0% (in part)"]),
        (letters(None), ["the others are too few to say anything alone"]),
        (letters(0.8, 5), ["in the others alone speedups are 0.80 to 0.80 times as high, on 10"]),
        (letters(0.8).assign(slowed=[0.0, np.nan]), []),
    ],
    ids=["one", "none", "many", "quiet"],
)  # fmt: skip
def test_what_the_other_rounds_say_is_written_below_the_table(
    rows: pd.DataFrame, notes: list[str]
) -> None:
    said = quiet_notes(rows)
    assert len(said) == len(notes)
    for sentence, wanted in zip(said, notes, strict=True):
        assert wanted in sentence


def test_an_answer_says_what_the_other_rounds_give() -> None:
    found = answer(letters(0.8), "")
    assert found is not None
    assert found.sentence.endswith(
        "Something slowed the original by a quarter or more in 60 to 80 % of its rounds: in the "
        "others alone the patch is 7.20 times faster where it gains and 2.50 times slower where "
        "it loses, and none holds as a whole."
    )
    one = answer(letters(0.8).assign(quiet_verdict=["reproduced", "weaker"]), "")
    assert one is not None
    assert one.sentence.endswith("where it loses, and one holds (Cond1).")
    alone = answer(letters(None), "")
    assert alone is not None
    assert alone.sentence.endswith("in 60 to 80 % of its rounds.")
