"""What pictures show, apart from how they look."""

import io
import itertools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.presentation.style import save
from harness.report import page, speedups, traces
from harness.report.hills import draw_speedups
from harness.report.runtime import draw_runtime
from harness.report.stored import Stored
from harness.report.traces import dirty_shares, draw_memory
from tests.conftest import store
from workloads.profile import profile_trace
from workloads.trace import Trace

REFERENCE = Path(__file__).parent.parent / "results" / "intel-xeon-processor"


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    random = np.random.default_rng(8)
    return store(tmp_path / "t.trace", [random.random(777) < random.random() for _ in range(30)])


def test_cells_are_shares_of_their_pages(trace: Trace) -> None:
    maps = [np.unpackbits(b, count=777, bitorder="little") for b in trace.bitmaps()]
    shares = dirty_shares(trace, 10, 30)
    assert shares.shape == (10, 30)
    for column, dirty in enumerate(maps):
        edges = [777 * row // 10 for row in range(11)]
        naive = [dirty[a:b].mean() for a, b in itertools.pairwise(edges)]
        assert shares[:, column] == pytest.approx(naive)
    assert dirty_shares(trace, 1000, 1000).shape == (777, 30)


def test_a_profile_counts_runs_and_their_lengths(tmp_path: Path) -> None:
    dirty = np.zeros(100, dtype=bool)
    dirty[[0, 10, 11, 20, 21, 22, 99]] = True
    dirty[40:72] = True
    profile = profile_trace(store(tmp_path / "t", [dirty, np.zeros(100, dtype=bool)]))
    assert profile.runs.tolist() == [5, 0]
    assert profile.dirty.tolist() == [39, 0]
    assert profile.run_lengths.tolist() == [2, 2, 0, 0, 0, 1, 0]  # 1, 1, 2, 3, 32
    assert profile.mean_run == pytest.approx(39 / 5)


def test_the_reference_can_be_drawn_again() -> None:
    result = Stored(REFERENCE)
    rows, snapshots = result.speedups, result.snapshots
    assert snapshots is not None
    (axes,) = draw_speedups(rows, result.calls).axes
    lines = [tick.get_text() for tick in axes.get_yticklabels()]
    assert lines == ["synthetic", "captured"] * 4
    written = [text.get_text() for text in axes.texts]
    assert [text for text in written if text.startswith("Cond")] == [
        f"Cond{n}" for n in (1, 2, 3, 4)
    ]
    assert "speedup" in axes.get_xlabel()
    clang = rows.assign(toolchain="clang-era", original_toolchain="clang-era")
    both = pd.concat([rows, clang], ignore_index=True)
    titles = [axes.get_title(loc="left") for axes in draw_speedups(both).axes]
    assert [title[title.index("(") :] for title in titles] == ["(cc-era)", "(clang-era)"]
    shown = {text.get_text() for text in axes.texts}
    measured = rows[~rows["noise_floor"]]["speedup"]
    assert {f"{value:.2f}" for value in measured} <= shown
    runtime = draw_runtime(snapshots)
    assert [axes.get_title(loc="left") for axes in runtime.axes][:2] == [
        "Cond1, synthetic",
        "Cond1, captured",
    ]


def test_the_same_data_make_the_same_picture(trace: Trace, tmp_path: Path) -> None:
    files = [
        path.read_bytes()
        for folder in ("a", "b")
        for path in save(draw_memory([trace]), tmp_path / folder, "p")
    ]
    assert files[:2] == files[2:]
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {".png", ".svg"}


def test_results_of_the_same_traces_share_their_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that was measured, however alike."""
    for name, dirty in (("one", True), ("two", True), ("three", False)):
        folder = Path(shutil.copytree(REFERENCE, tmp_path / name))
        (folder / "traces").mkdir()
        store(folder / "traces" / "cond1-imported.trace", [np.array([dirty] * 32 + [True] * 32)])
    results = [Stored(tmp_path / name) for name in ("one", "two", "three")]
    shown = [traces.SECTION, speedups.SECTION]
    monkeypatch.setattr(page, "all_sections", lambda: shown)
    (_, of_traces), (_, measured) = page.make_pieces(results)
    assert [piece.of for piece in of_traces] == ["one, two", "three"]
    assert [piece.of for piece in measured] == ["one", "two", "three"]
    assert len({piece.key for piece in (*of_traces, *measured)}) == 5
    csv = [pd.read_csv(io.StringIO(piece.csv)) for piece in of_traces]
    assert [list(rows["most_dirty_pages"]) for rows in csv] == [[64], [32]]
