"""Every picture can be read: labelled axes, and no text outside of it or over other text."""

import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from harness.presentation.style import house_style
from harness.report.hills import draw_speedups
from harness.report.history import draw_history
from harness.report.origins import draw_comparison
from harness.report.remaining import draw_remaining, patch_calls
from harness.report.runtime import draw_runtime
from harness.report.speedups import draw_main
from harness.report.stored import Stored
from harness.report.traces import draw_memory
from harness.report.variants import draw_ladder
from harness.results.history import read_history
from harness.results.result import SPEEDUPS, read_table
from harness.studies import load_study, questions
from harness.studies.assumptions import draw_assumptions
from harness.studies.claims import draw_claims
from harness.studies.density import draw_density
from harness.studies.instructions import draw_instructions
from harness.studies.size import draw_size
from harness.studies.tick import draw_tick
from harness.studies.toolchains import draw_toolchains
from tests.conftest import store
from workloads.profile import profile_trace
from workloads.trace import open_trace

RESULTS = Path(__file__).parent.parent / "results"
CAPTURED = sorted((RESULTS.parent / "workloads" / "captured").glob("*.trace"))


def drawn_texts(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Bbox]]:
    """Draw ``figure`` and return every text that the renderer was given, with its box in pixels."""
    seen: list[Text] = []
    original = Text.draw

    def record(self: Text, renderer: RendererBase, *arguments: object) -> None:
        if self.get_visible():
            seen.append(self)
        original(self, renderer, *arguments)

    monkeypatch.setattr(Text, "draw", record)
    with house_style():
        canvas = FigureCanvasAgg(figure)
        figure.draw_without_rendering()  # lays it out
        seen.clear()
        figure.draw_without_rendering()
        renderer = canvas.get_renderer()
        # That of an annotation would have its arrow in it.
        return [
            (text.get_text(), Text.get_window_extent(text, renderer))
            for text in dict.fromkeys(seen)
            if text.get_text().strip()
        ]


def in_each_others_way(texts: list[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes overlap by more than a pixel."""
    found = []
    for (first, a), (second, b) in itertools.combinations(texts, 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        if width > 1 and height > 1:
            found.append((first, second))
    return found


def is_named(axes: Axes, which: str) -> bool:
    """Return whether an axis has a label, or ticks that are names, itself or at the edge."""
    grid = axes.get_subplotspec()
    for other in axes.figure.axes:
        place = other.get_subplotspec()
        same_line = other is axes or (
            place is not None and grid is not None
            and (place.colspan == grid.colspan if which == "x" else place.rowspan == grid.rowspan)
        )  # fmt: skip
        axis = getattr(other, f"{which}axis")
        ticks = [label.get_text() for label in axis.get_ticklabels() if label.get_text()]
        names = [text for text in ticks if any(letter.isalpha() for letter in text)]
        if same_line and (axis.get_label().get_text() or (ticks and names == ticks)):
            return True
    return False


def check(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn_texts(figure, monkeypatch)
    assert texts
    ground = figure.bbox
    outside = [
        text
        for text, box in texts
        if box.x0 < -1 or box.y0 < -1 or box.x1 > ground.x1 + 1 or box.y1 > ground.y1 + 1
    ]
    assert outside == []
    assert in_each_others_way(texts) == []
    for axes in figure.axes:
        if axes.get_visible() and axes.get_label() != "<colorbar>":
            assert axes.has_data()
            assert is_named(axes, "x")
            assert is_named(axes, "y")


def speedups(conditions: int, variants: int, toolchains: int, precise: bool = True) -> pd.DataFrame:
    """Return rows as of a measurement, spread over many orders of magnitude."""
    random = np.random.default_rng(conditions * variants * toolchains)
    rows = []
    for c, origin, v, t in itertools.product(
        range(conditions), ["recorded", "synthetic", "captured"], range(variants), range(toolchains)
    ):
        speedup = float(10 ** random.uniform(-0.9, 2.9))
        rows.append(
            {
                "condition": f"cond{c + 1}" if c < 4 else f"another-condition-{c}",
                "origin": origin, "variant": f"a_variant_with_a_name_{v}" if v else "multi_page",
                "toolchain": f"compiler{t}-native", "original_toolchain": f"compiler{t}-native",
                "guest_memory_bytes": 2**29, "snapshots": 600,
                "original_seconds": 7e-5, "variant_seconds": 7e-5 / speedup, "speedup": speedup,
                "speedup_low": speedup * 0.99, "speedup_high": speedup * 1.01,
                "snapshot_speedup_min": speedup * 0.5, "snapshot_speedup_max": speedup * 2,
                "claim_low": 8.0 if v == 0 else np.nan, "claim_high": 16.0 if v == 0 else np.nan,
                "claim": "letter" if v == 0 else np.nan,
                "verdict": "weaker" if v == 0 else "", "operation": "count",
                "original": "page_by_page", "noise_floor": False, "processes": 10,
                "stopped": "precise" if precise else "budget", "map": "byte map", "bound": False,
                "calls_low": speedup * 0.6, "calls_high": speedup * 1.9,
                "calls_within": 0.4321 if v == 0 else np.nan,
                "quiet_speedup": np.nan, "quiet_low": np.nan, "quiet_high": np.nan,
                "paid_in": "", "instructions_per_page": speedup / 50,
                "mispredicted_per_page": speedup / 1e4, "share_of_tick": 1e-4 / speedup,
                "share_of_limit": min(1.0, speedup / 100), "trace": "", "seconds": 7e-5 / speedup,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def slowed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a machine with a neighbour, which has slowed many rounds."""
    ends = {"quiet_speedup": 0.8, "quiet_low": 0.7, "quiet_high": 0.9}
    return rows.assign(**{name: rows["speedup"] * times for name, times in ends.items()})


def calls(rows: pd.DataFrame) -> pd.DataFrame:
    """Return calls of every row, at both ends of its reach and between."""
    parts = [
        rows.assign(snapshot=number, tick_ms=100 * number, dirty_runs=1,
                    speedup=rows["speedup"] * times, remaining_pages=1000 * number)
        for number, times in enumerate((0.5, 0.9, 1.0, 1.1, 1.1, 1.1, 2))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


REFERENCE = Stored(RESULTS / "amd-epyc-26-2")


def calls_of_reference() -> pd.DataFrame:
    found = patch_calls(REFERENCE)
    assert found is not None
    return found


_FEW = speedups(1, 1, 1)
ONE = _FEW[_FEW["origin"] == "synthetic"].reset_index(drop=True)
SIXTY = speedups(6, 5, 1)


def snapshots(rows: pd.DataFrame) -> pd.DataFrame:
    parts = [rows.assign(remaining_pages=pages, seconds=rows["seconds"] * (1 + pages / 1e5))
             for pages in (0, 40_000, 131_072)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def at_sizes(rows: pd.DataFrame, sizes: int, trace: str = "") -> pd.DataFrame:
    """Return the rows of a single trace at several sizes of the guest."""
    rows = rows[(rows["condition"] == "cond1") & (rows["origin"] == "synthetic")]
    parts = [
        rows.assign(guest_memory_bytes=2**29 * times, share_of_tick=rows["share_of_tick"] * times,
                    trace=trace)
        for times in (8**size for size in range(sizes))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def ticks(rows: pd.DataFrame, sizes: int) -> pd.DataFrame:
    traces = rows[rows["origin"] == "captured"] if len(rows) > 1 else rows
    traces = traces.assign(trace=traces["condition"])
    return pd.concat([traces, at_sizes(rows, sizes)], ignore_index=True)


def densities(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as cells of a map, and a condition's trace on it."""
    cells = []
    for density, run in itertools.product([0, 0.001, 0.01, 0.25, 0.5, 0.99, 1], [1, 2, 64, 4096]):
        for row in rows.drop_duplicates("variant").to_dict("records"):
            cells.append(row | {"asked_density": density, "asked_mean_run": run, "trace": "",
                                "density": density, "mean_run": run})  # fmt: skip
    names = rows.drop_duplicates(["condition", "origin"])
    # All at nearly the same place, as traces often are.
    traces = names.assign(trace=names["condition"] + " " + names["origin"], density=0.5,
                          mean_run=1000.0)  # fmt: skip
    traces = traces[traces["condition"].str.len() < 8]
    return pd.concat([pd.DataFrame(cells), traces], ignore_index=True)


def claims(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        claimed_low=8.0, claimed_high=16.0, captured_low=rows["speedup"] / 2,
        captured_high=rows["speedup"], claim="a-claim-with-quite-a-name",
        workload=rows["condition"] + " " + rows["origin"] + ", a tenth dirty in runs of 64 pages",
    )  # fmt: skip


def history(rows: pd.DataFrame, results: int) -> pd.DataFrame:
    parts = [
        rows.assign(date=pd.Timestamp(2026, 1, 1) + pd.Timedelta(days=number), cpu="Some CPU",
                    git_commit=f"{number:012x}", compiler="cc", results=f"run {number}",
                    **(rows[["speedup", "speedup_low", "speedup_high"]] * (1 + number / 50)))
        for number in range(results)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def stored_at(name: str) -> Path:
    return RESULTS / f"amd-epyc-26-2-{name}" / f"{name}.csv"


def of_reference(name: str) -> Figure:
    exhibit = load_study(name).exhibit
    assert exhibit
    return exhibit.draw(pd.read_csv(stored_at(name)))


PICTURES: dict[str, Callable[[], Figure]] = {
    "speedups, one": lambda: draw_speedups(ONE),
    "speedups, one with calls": lambda: draw_speedups(ONE, calls(ONE)),
    "speedups, sixty with calls": lambda: draw_speedups(SIXTY, calls(SIXTY)),
    "remaining, one": lambda: draw_remaining(calls(ONE)),
    "remaining, sixty": lambda: draw_remaining(calls(speedups(5, 1, 1))),
    "speedups, one imprecise": lambda: draw_speedups(ONE.assign(stopped="budget")),
    "speedups, sixty": lambda: draw_speedups(SIXTY),
    "speedups, beside a neighbour": lambda: draw_speedups(slowed(SIXTY), calls(SIXTY)),
    "speedups, twenty": lambda: draw_speedups(speedups(5, 2, 1)),
    "speedups, two toolchains": lambda: draw_speedups(speedups(4, 1, 2, precise=False)),
    "ladder, one": lambda: draw_ladder(ONE),
    "ladder, sixty": lambda: draw_ladder(SIXTY),
    "ladder, sixty variants": lambda: draw_ladder(speedups(1, 60, 2)),
    "runtime, one": lambda: draw_runtime(snapshots(ONE)),
    "runtime, sixty": lambda: draw_runtime(snapshots(SIXTY)),
    "toolchains, one": lambda: draw_toolchains(ONE),
    "toolchains, sixty": lambda: draw_toolchains(speedups(5, 1, 6)),
    "density, one": lambda: draw_density(densities(ONE)),
    "density, sixty": lambda: draw_density(densities(SIXTY)),
    "size, one": lambda: draw_size(at_sizes(ONE, 1)),
    "size, sixty": lambda: draw_size(at_sizes(speedups(1, 12, 1), 5)),
    "tick, one": lambda: draw_tick(ticks(ONE, 1)),
    "tick, sixty": lambda: draw_tick(ticks(SIXTY, 5)),
    "instructions, one": lambda: draw_instructions(ONE),
    "instructions, sixty": lambda: draw_instructions(SIXTY),
    "claims, one": lambda: draw_claims(claims(ONE)),
    "claims, sixty": lambda: draw_claims(claims(SIXTY)),
    "assumptions, one": lambda: draw_assumptions(ONE.assign(assumption="a thing in other words")),
    "assumptions, sixty": lambda: draw_assumptions(
        speedups(30, 1, 1).assign(condition="cond1", assumption="a thing in many other words")
    ),
    "history, one": lambda: draw_history(history(ONE, 1)),
    "history, sixty": lambda: draw_history(history(SIXTY, 60)),
    "history of the references": lambda: draw_history(
        read_history([RESULTS / "amd-epyc-26-2", RESULTS / "intel-xeon-processor"])
    ),
    **{
        f"{name} of the reference": functools.partial(of_reference, name)
        for name in questions()
        if load_study(name).exhibit and stored_at(name).exists()
    },
    "speedups of the reference": lambda: draw_main(
        REFERENCE.speedups, REFERENCE.calls
    ),
    "remaining pages of the reference": lambda: draw_remaining(calls_of_reference()),
    "variants of the reference": lambda: draw_ladder(
        read_table(RESULTS / "amd-epyc-26-2-variants", SPEEDUPS)
    ),
    "comparison": lambda: draw_comparison(
        {path.stem: [profile_trace(open_trace(path))] for path in CAPTURED}
    ),
    "memory": lambda: draw_memory([open_trace(path) for path in CAPTURED][:3]),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(PICTURES[name](), monkeypatch)


def test_a_trace_of_one_snapshot_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = store(tmp_path / "t.trace", [np.ones(64, dtype=bool)])
    check(draw_memory([trace]), monkeypatch)
    check(draw_comparison({"one snapshot": [profile_trace(trace)]}), monkeypatch)


@pytest.mark.parametrize("name", [r"$\bad{$", r"$\frac{x$", "a$b", "[/b]"])
def test_names_are_not_formulas(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are anybody's; of what is between two dollars a formula was made, or an error."""
    rows = ONE.assign(variant=name, condition=name)
    texts = [text for text, _ in drawn_texts(draw_speedups(rows), monkeypatch)]
    assert any(name in text for text in texts)
    trace = store(tmp_path / "t.trace", [np.ones(64, dtype=bool)], name=name)
    assert any(name in text for text, _ in drawn_texts(draw_memory([trace]), monkeypatch))


def test_what_overlaps_or_is_outside_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle itself."""
    with house_style():
        figure = Figure(figsize=(3, 3))
        figure.text(0.5, 0.5, "some text")
        figure.text(0.52, 0.51, "over another")
        texts = drawn_texts(figure, monkeypatch)
        assert in_each_others_way(texts) == [("some text", "over another")]
        figure.text(0.9, 0.1, "text that leaves it")
        with pytest.raises(AssertionError, match="leaves"):
            check(figure, monkeypatch)


def test_an_empty_picture_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle itself."""
    figure = Figure(figsize=(3, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel="time", ylabel="share")
    with pytest.raises(AssertionError, match="has_data"):
        check(figure, monkeypatch)
    axes.plot([0, 1])
    check(figure, monkeypatch)
