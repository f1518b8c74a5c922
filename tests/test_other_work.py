"""Other work before each snapshot: it is done, and what comes out is right."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.doctor import sequential
from harness.doctor.coverage import short_request
from harness.measurement import rounds
from harness.measurement.interpreter import InterpreterWork
from harness.measurement.plan import OTHER_WORK
from harness.measurement.preparation import prepare
from harness.measurement.rounds import Rounds
from harness.measurement.run_folder import RunFolder
from harness.native.build import build_stopwatch, build_variant
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.stopwatch import Stopwatch, make_snapshots
from harness.native.toolchain import default_toolchain
from tests.conftest import Run
from workloads.guest import GuestMemory


def test_what_was_learned_of_a_map_is_forgotten_by_the_next_snapshot() -> None:
    random = np.random.default_rng(5)
    pages = 2**13  # of which few are dirty, so that a small predictor can learn all of them
    bitmap = np.packbits(random.random(pages) < 0.01, bitorder="little")
    snapshots = make_snapshots([bitmap], [0])
    toolchain = default_toolchain()
    variant = load_variant(build_variant(find_variant("multi_page", "count"), toolchain).path)
    stopwatch = Stopwatch(
        build_stopwatch(toolchain).path, GuestMemory(pages * 4096), [variant.description.map]
    )
    turn = np.zeros(1, np.intp), np.zeros((1, 1), np.uint16)

    def typical(other_work: bool) -> float:
        times = [
            stopwatch.time_pass(snapshots, [variant], [1], *turn, other_work)[0][0, 0]
            for _ in range(60)
        ]
        return float(np.median(times[20:]))

    # The same map over and over: a predictor that has forgotten nothing foresees all of it.
    ratios = [typical(True) / typical(False) for _ in range(5)]
    assert np.median(ratios) > 1.1, ratios


def test_it_comes_before_the_calls_of_a_sequential_runner_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be compared with another thing than what it does."""
    with RunFolder(tmp_path) as folder:
        prepare(short_request(("multi_page",), 0), folder)
        asked: list[Any] = []
        alone = Stopwatch.time_pass

        def noted(*given: Any) -> Any:
            asked.append(given[6:])
            return alone(*given)

        monkeypatch.setattr(Stopwatch, "time_pass", noted)
        options = ("--worker", "--loops=1", "--values=1", "--warmups=0")
        monkeypatch.setattr("sys.argv", ["sequential", "--plan", str(folder.plan), *options])
        assert sequential.main() == 0
    assert asked == [(True,)] * 2  # the original and the variant


def test_it_takes_as_long_as_was_asked_for_and_is_another_each_time() -> None:
    drawn = InterpreterWork(1, 7)._random.getstate()
    work = InterpreterWork(1, 7)
    assert work._random.getstate() == drawn
    work()
    assert work._random.getstate() != drawn


def test_each_snapshot_has_work_of_its_own_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(3)
    bitmaps = [np.packbits(random.random(4096) < share, bitorder="little") for share in (0.1, 0.6)]
    snapshots = make_snapshots(bitmaps, [0, 1])
    toolchain = default_toolchain()
    names = ("page_by_page", "multi_page", "bitmap_find_next")
    callees = [
        [load_variant(build_variant(find_variant(name, "count"), toolchain).path)] * 2
        for name in names
    ]
    kinds = [places[0].description.map for places in callees]
    stopwatch = Stopwatch(build_stopwatch(toolchain).path, GuestMemory(4096 * 4096), kinds)
    passes: list[Sequence[Any]] = []
    alone = rounds.time_pass

    def noted(*asked: Any) -> Any:
        passes.append(asked)
        return alone(*asked)

    monkeypatch.setattr(rounds, "time_pass", noted)
    done: list[int] = []
    given = (stopwatch, snapshots, callees, [1, 1, 1], [0, 0, 0], random)
    measured = Rounds(*given, between=lambda: done.append(len(passes)))
    assert measured.seconds(0, 1) > 0
    # Each of two snapshots is a pass after the work, in which three callees come at both places.
    assert done == list(range(2))
    assert all(asked[4].shape == (1,) and asked[5].shape == (1, 3 * 2) for asked in passes)
    assert (measured.calls_seconds() > 0).all()
    assert measured.calls_seconds().shape == (1, 3, 2, 2)
    assert len(measured.results) == 2
    for results in measured.results:
        assert (results == snapshots.right).all()
    # With none, each of the two parts of a round is a pass of its own over both snapshots.
    passes.clear()
    assert Rounds(*given).seconds(0, 1) > 0
    assert [asked[5].shape for asked in passes] == [(2, 3)] * 2
    # With the stopwatch's, both parts come in one.
    passes.clear()
    assert Rounds(*given, other_work=True).seconds(0, 1) > 0
    assert [asked[5].shape for asked in passes] == [(2, 3 * 2)]
    for visit in passes[0][5].tolist():
        # The calls that are compared follow each other, those at one place of a round's two.
        assert [number % 2 for number in visit] in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])


def test_a_run_says_how_much_lay_between(dirtyscan: Run, tmp_path: Any, short_runs: None) -> None:
    asked = ("bench", "--condition", "cond1", "--origin", "synthetic", "--guest-memory", "16MiB")
    done = dirtyscan(*asked, "--between", "0.2", "--quick", "--output", "o")
    assert done.returncode == 0, done.stderr
    layout = json.loads((tmp_path / "o/environment.json").read_text())["layout"]
    assert layout["between"] == 0.2
    assert not layout["other_work"]
    assert "each call after 0.2 ms of other work" in done.stdout
    for options, came, said in (
        ((), OTHER_WORK, "after other work"),
        (("--no-other-work",), 0, "again at once"),
    ):
        done = dirtyscan(*asked, *options, "--quick", "--output", "o")
        assert done.returncode == 0, done.stderr
        layout = json.loads((tmp_path / "o/environment.json").read_text())["layout"]
        assert layout["other_work"] == came
        assert f"each call {said}\n" in done.stdout
    assert dirtyscan(*asked, "--no-other-work", "--between", "1").returncode == 2
    for wrong in ("0", "-1", "nan", "inf", "x", "2000"):
        done = dirtyscan(*asked, "--between", wrong)
        assert done.returncode == 2
        assert "is not a number of milliseconds above 0, at most 1000" in done.stderr
