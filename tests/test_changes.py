"""Changes over time: what is found in nights like those that were measured, and what is not."""

import functools
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.measurement.plan import OTHER_WORK
from harness.report.history import draw_history
from harness.results.changes import Change, Find, find_changes, find_places, otava
from harness.results.design import Design
from harness.results.history import _names, read_history
from harness.results.pack import write_pack
from harness.results.result import PROCESSES, read_table
from harness.statistics.interval import centre
from tests.conftest import Run
from tests.fuzz import fuzz
from tests.test_legibility import check

REFERENCE = Path(__file__).parent / "amd-epyc-gate"
NIGHTS, STEP = 60, 0.97
needs_otava = pytest.mark.skipif(importlib.util.find_spec("otava") is None, reason="needs otava")


@functools.cache
def measured() -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Return logarithms of speedups by process, for each trace; and by how much nights differ.

    The one is of the patch in the committed reference, eight traces with twenty processes each. The
    other is the median ratio of a hundred runs to that reference, half of them beside busy loops.
    """
    table = read_table(REFERENCE, PROCESSES)
    table = table[table["variant"] == "multi_page"]
    series = {str(k): np.log(g.to_numpy()) for k, g in table.groupby("trace")["speedup"]}
    runs = pd.read_csv(REFERENCE / "calibration.csv")
    runs = runs[runs["evidence"] == "reference"]
    return series, np.log(runs["middle"].to_numpy(np.float64))


def nights(trace: str, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw the speedups of 60 nights in which nothing changes, each over twenty processes."""
    series, between = measured()
    logs = series[trace]
    drawn = centre(random.choice(logs, (len(logs), NIGHTS)))
    return np.asarray(np.exp(drawn + random.choice(between, NIGHTS)))


@needs_otava
def test_a_step_of_3_percent_is_found_at_the_right_night_in_all_series() -> None:
    find = otava()
    series, _ = measured()
    assert len(series) == 8
    for number, trace in enumerate(series):
        random = np.random.default_rng(number)
        place = int(random.integers(10, 50))
        speedups = nights(trace, random)
        speedups[place:] *= STEP
        assert place in find_places(speedups.tolist(), find), trace


@needs_otava
def test_next_to_none_is_found_where_nothing_changes() -> None:
    """Of 400 flat series at most one in twenty has a change."""
    find = otava()
    series, _ = measured()
    random = np.random.default_rng(0)
    flat = [nights(trace, random) for trace in series for _ in range(50)]
    assert sum(bool(find_places(one.tolist(), find)) for one in flat) <= len(flat) / 20


def at_mean_shift(values: Sequence[float]) -> list[int]:
    """Find changes as a reader would: where a value is not like that before it."""
    return [n for n in range(1, len(values)) if abs(values[n] / values[n - 1] - 1) > 0.01]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([8, 8, 8, 8], []),
        ([8, 8, 7, 7], [2]),
        ([8, 8, 7, 8, 8], []),  # a night alone
        ([7, 8, 8, 8], []),
        ([8, 8, 8, 7], [3]),  # which nobody knows of yet
        ([8, 8, 7, 8, 8, 6, 6], [5]),
        ([8, 8, 7, 6, 6], [2]),  # the first of a change, disturbed
        ([8, 8, 7.5, 7, 6, 6], [2]),
        ([8, 8, 9, 6, 6], [3]),
        ([8], []),
        ([], []),
    ],
)
def test_a_night_alone_is_no_change_but_the_newest(values: list[float], places: list[int]) -> None:
    assert find_places(values, at_mean_shift) == places


def history(speedups: Sequence[float], **changes: object) -> pd.DataFrame:
    days = pd.Timestamp(2026, 1, 1) + pd.to_timedelta(np.arange(len(speedups)), unit="D")
    columns: dict[str, object] = {
        "date": days, "git_commit": [f"{n:012x}" for n in range(len(speedups))],
        "cpu": "Some CPU", "compiler": "cc 12", "results": [f"night-{n}" for n in range(len(days))],
        "condition": "cond1", "origin": "captured", "variant": "mine", "toolchain": "cc-era",
        "operation": "count", "original": "page_by_page", "speedup": speedups,
        "speedup_low": speedups, "speedup_high": speedups, "claim_low": np.nan,
        "claim_high": np.nan,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def changes_in(rows: pd.DataFrame, newest: int = 1, find: Find = at_mean_shift) -> list[Change]:
    return find_changes(rows, find, newest)


def test_a_change_says_when_from_what_to_what_and_since_which_commit() -> None:
    (change,) = changes_in(history([8, 8, 8, 6, 6], compiler=["cc 12"] * 3 + ["cc 13"] * 2))
    assert (change.date, change.results) == (pd.Timestamp(2026, 1, 4), "night-3")
    assert (change.before, change.after, change.ratio) == (8, 6, 0.75)
    assert change.since == "000000000002 to 000000000003, cc 12 to cc 13"
    assert not change.alone
    assert not change.new


@pytest.mark.parametrize(
    ("speedups", "newest", "new"),
    [
        ([8, 8, 8, 6], 1, [True]),
        ([8, 8, 8, 6, 6], 1, [False]),
        ([8, 8, 8, 6, 6], 2, [True]),
        ([8, 8, 6, 6, 6, 5], 1, [False, True]),
        ([8, 8, 6], 9, [True]),
    ],
)
def test_a_change_is_new_with_the_newest_results(
    speedups: list[float], newest: int, new: list[bool]
) -> None:
    assert [change.new for change in changes_in(history(speedups), newest)] == new


def test_what_another_cpu_or_toolchain_gives_is_no_change() -> None:
    rows = [
        history([8, 8, 8]),
        history([4, 4, 4], cpu="Another CPU"),
        history([2, 2, 2], toolchain="clang-era"),
        history([3, 3, 3], condition="cond2"),
        history([5, 5, 5], variant="other"),
    ]
    assert not changes_in(pd.concat(rows, ignore_index=True))


def test_a_series_that_the_newest_result_is_not_of_has_nothing_new() -> None:
    """A CPU that was measured last a month ago has not got slower tonight."""
    old, young = history([8, 8, 8, 6]), history([4] * 6, cpu="Another CPU")
    (change,) = changes_in(pd.concat([old, young], ignore_index=True))
    assert not change.new


@needs_otava
@pytest.mark.parametrize("speedups", [[8.0] * 20, [8.0] * 10 + [7.0] * 10, [8.0], [8.0, 7.0]])
def test_otava_takes_nights_that_are_all_alike(speedups: list[float]) -> None:
    found = find_places(speedups, otava())
    assert found == ([10] if len(set(speedups)) == 2 and len(speedups) > 2 else [])


@needs_otava
@fuzz
@given(speedups=st.lists(st.floats(1e-9, 1e15), max_size=12))
def test_no_series_ends_in_anything_but_places(speedups: list[float]) -> None:
    found = find_places(speedups, otava())
    assert found == sorted(set(found))
    assert all(0 < place < len(speedups) for place in found)


@pytest.fixture
def stored_nights(tmp_path: Path) -> Callable[[Sequence[float]], Path]:
    """Store a result for each of some nights, whose speedups are those of the reference times x."""

    def store(factors: Sequence[float]) -> Path:
        folder = tmp_path / "results" / "nightly"
        rows = pd.read_csv(REFERENCE / "speedups.csv", keep_default_na=False)
        rows = rows[rows["condition"] == "cond1"]  # two of the eight series
        environment = json.loads((REFERENCE / "environment.json").read_text())
        environment["layout"]["other_work"] = OTHER_WORK
        for number, factor in enumerate(factors):
            night = folder / f"night-{number:02}"
            night.mkdir(parents=True, exist_ok=True)
            scaled = rows.copy()
            mine = scaled["variant"] == "multi_page"
            for name in ("speedup", "speedup_low", "speedup_high"):
                scaled.loc[mine, name] = scaled.loc[mine, name].astype(float) * factor
            scaled.loc[mine, "variant_seconds"] /= factor
            scaled.to_csv(night / "speedups.csv", index=False)
            environment["date"] = f"2026-10-{number + 1:02}T03:17:00+00:00"
            (night / "environment.json").write_text(json.dumps(environment))
        return folder

    return store


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ({"between": 1.0}, "AMD EPYC, after 1 ms of other work"),
        ({"other_work": False}, "AMD EPYC, again at once"),
        ({"other_work": True}, "AMD EPYC, after less other work"),
    ],
)
def test_runs_with_other_work_between_calls_are_a_series_of_their_own(
    layout: dict[str, float | bool],
    says: str,
    stored_nights: Callable[[Sequence[float]], Path],
) -> None:
    folder = stored_nights([1.0, 0.8])
    path = folder / "night-01/environment.json"
    environment = json.loads(path.read_text())
    environment["layout"] |= {"other_work": False, **layout}
    path.write_text(json.dumps(environment))
    rows = read_history([folder])
    by_night = rows.groupby("results")["cpu"].unique()
    (before,), (after,) = by_night["night-00"], by_night["night-01"]
    assert (before, after) == ("AMD EPYC", says)


def steady(count: int) -> Iterator[float]:
    return (1 + 0.001 * (-1) ** number for number in range(count))


@needs_otava
def test_a_new_fall_has_a_status_and_is_named_once(
    stored_nights: Callable[[Sequence[float]], Path], dirtyscan: Run, tmp_path: Path
) -> None:
    command = ("history", "results/nightly", "--changes", "--variant", "multi_page")
    before = list(steady(20))
    stored_nights(before)
    done = dirtyscan(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 changes in 2 series of up to 20 results" in done.stdout
    stored_nights([*before, 0.95])
    done = dirtyscan(*command)
    assert done.returncode == 1
    assert "2 changes in 2 series of up to 21 results; 2 new falls" in done.stdout
    assert "new: multi_page (count, cc-era) on cond1 synthetic, AMD EPYC: 5.0 % slower from " in (
        done.stdout
    )
    assert "in the newest result alone" in done.stdout
    stored_nights([*before, 0.95, 0.951])  # of which everybody knows
    done = dirtyscan(*command)
    assert done.returncode == 0
    assert "2 changes" in done.stdout
    assert dirtyscan(*command, "--newest", "2").returncode == 1
    table = pd.read_csv(tmp_path / "plots" / "changes.csv", parse_dates=["date"])
    assert set(table["date"]) == {pd.Timestamp(2026, 10, 21, 3, 17)}
    assert table["after"].to_numpy() / table["before"].to_numpy() == pytest.approx(0.95, abs=0.01)
    stored_nights([*before, 1.05])
    shutil.rmtree(tmp_path / "results" / "nightly" / "night-21")
    assert dirtyscan(*command).returncode == 0  # a rise is told, and no fall


@needs_otava
def test_packed_nights_are_read_and_the_first_of_a_cpu_is_compared_with_nothing(
    stored_nights: Callable[[Sequence[float]], Path], dirtyscan: Run, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = stored_nights(list(steady(12)))
    for night in sorted(folder.iterdir()):
        assert dirtyscan("results", "pack", str(night), "-o", f"packs/{night.name}.zip").stdout
    done = dirtyscan("history", "packs", "--changes")
    assert done.returncode == 0, done.stderr
    assert "of up to 12 results" in done.stdout
    assert "nothing was compared" not in done.stdout
    rows = read_history([tmp_path / "packs"])
    pd.testing.assert_frame_equal(rows, read_history([folder]))
    one = dirtyscan("history", "packs/night-03.zip", "--changes", env={"GITHUB_ACTIONS": "true"})
    assert "nothing was compared: the newest result is of AMD EPYC" in one.stdout
    assert "::warning title=nothing was compared::" in one.stdout
    # A night on another CPU than those before.
    environment = json.loads((folder / "night-11" / "environment.json").read_text())
    environment["cpu"]["model"] = "Another CPU"
    (folder / "night-11" / "environment.json").write_text(json.dumps(environment))
    done = dirtyscan("history", str(folder), "--changes")
    assert "nothing was compared: the newest result is of Another CPU" in done.stdout
    (tmp_path / "packs" / "night-05.zip").write_bytes(b"PK")
    assert "pack packs/night-05.zip is no archive" in dirtyscan("history", "packs").stderr


def test_a_result_that_lies_there_twice_is_taken_once(
    stored_nights: Callable[[Sequence[float]], Path], dirtyscan: Run
) -> None:
    """What it holds says so, and not its name; two that were measured at one time are two."""
    folder = stored_nights([1.0, 0.9, 0.8])
    alone = read_history([folder])
    for night in ("night-00", "night-01"):
        write_pack(folder / night, folder / f"{night}.zip")
    shutil.copytree(folder / "night-02", folder / "renamed")
    done = dirtyscan("history", "results/nightly")
    assert (done.returncode, done.stderr) == (0, "")
    twice = (("night-00.zip", "night-00"), ("night-01.zip", "night-01"), ("renamed", "night-02"))
    for path, first in twice:
        said = f"results/nightly/{path} is the same result as results/nightly/{first}, and was"
        assert said in done.stdout
    pd.testing.assert_frame_equal(read_history([folder]), alone)
    done = dirtyscan("history", *["results/nightly"] * 3)
    assert "and 10 more were there twice" in done.stdout
    environment = json.loads((folder / "night-00" / "environment.json").read_text())
    (folder / "night-01" / "environment.json").write_text(json.dumps(environment))
    assert read_history([folder / "night-00", folder / "night-01"])["results"].nunique() == 2


@needs_otava
def test_a_fall_is_not_found_in_two_results_that_are_there_twice(
    stored_nights: Callable[[Sequence[float]], Path], dirtyscan: Run
) -> None:
    folder = stored_nights([1.0, 0.9])
    for night in ("night-00", "night-01"):
        write_pack(folder / night, folder / f"{night}.zip")
    done = dirtyscan("history", "results/nightly", "--changes", "--variant", "multi_page")
    assert done.returncode == 0, done.stdout
    assert "0 changes in 2 series of up to 2 results" in done.stdout
    assert "of which there are fewer than 3 yet" in done.stdout


def test_without_otava_one_sentence_says_how_to_get_it(
    dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "otava", None)
    monkeypatch.setitem(sys.modules, "otava.analysis", None)
    done = dirtyscan("history", str(REFERENCE), "--changes")
    assert done.returncode == 2
    assert "--changes needs Apache Otava" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert dirtyscan("history", str(REFERENCE)).returncode == 0


def test_a_folder_without_results_is_named(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there are no results in empty" in dirtyscan("history", "empty").stderr
    with pytest.raises(BadInput, match="nowhere"):
        read_history([Path("nowhere")])


def test_changes_are_ringed_and_the_picture_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = history([8, 8, 8, 6, 6, 9, 9])
    changes = changes_in(rows)
    figure = draw_history(rows, changes)
    rings = [
        line for axes in figure.axes for line in axes.lines if line.get_markerfacecolor() == "none"
    ]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings] == [(3, 6), (5, 9)]  # type: ignore[index]
    assert {text.get_text() for text in figure.legends[0].texts} >= {"fell here", "rose here"}
    check(figure, monkeypatch)


def test_cpus_are_told_apart_by_their_design() -> None:
    one = Design("x86_64", "AMD EPYC", "family 26, model 2", "1", (("L3", "32M"),))
    silent = Design("x86_64", "AMD EPYC", "family 26, model 2")
    other = Design("x86_64", "AMD EPYC", "family 25, model 1", "1")
    cut = Design("x86_64", "AMD EPYC", "family 26, model 2", "1", (("L3", "16M"),))
    name = "AMD EPYC (family 26, model 2, stepping 1)"
    assert _names([one, other, one, silent]) == [
        name, "AMD EPYC (family 25, model 1, stepping 1)", name, name,
    ]  # fmt: skip
    assert _names([one, cut]) == [name, f"{name} [2]"]
