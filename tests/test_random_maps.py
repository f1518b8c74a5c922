"""Random maps beside the conditions, or in their place: what is asked for is what is measured."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.base.errors import BadInput
from harness.measurement.request import MAPS, random_traces
from harness.report.run_table import results_table
from harness.results.result import SPEEDUPS, read_table
from tests.conftest import Run
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, in_words, random_pages
from workloads.trace import open_trace

GUEST = GuestMemory(16 * 2**20)
SMALL = ["--guest-memory", "16MiB", "--precision", "50%"]


def pages(path: Path) -> list[list[bool]]:
    """Return every map of a trace, page by page, by nothing but the bits of its bytes."""
    trace = open_trace(path)
    return [
        [bool(bitmap[page // 8] >> page % 8 & 1) for page in range(trace.source.memory.pages)]
        for bitmap in trace.bitmaps(range(len(trace)))
    ]


@given(st.floats(0.01, 0.9), st.integers(1, 500))
def test_a_name_says_what_its_maps_hold(density: float, run: int) -> None:
    density = float(f"{density:g}")
    if density / (1 - density) <= run:
        assert in_words(RandomRuns(density, run, True).name) == f"density {density:g}, run {run}"
    tenths = float(f"{density:.1g}")
    assert in_words(random_pages(tenths).name) == f"density {tenths:g}"


@pytest.mark.parametrize("name", ["cond1", "density", "density-x-run-2", "density-7-run-1", ""])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert in_words(name) == ""


def test_every_map_is_asked_for_once() -> None:
    asked = random_traces((0.1, 0, 0.1, 1), (16, 2), GUEST, 1)
    assert [one.name for one in asked] == [
        "density-0.1-run-16-fixed", "density-0.1-run-2-fixed", "density-0-run-1", "density-1-run-1",
    ]  # fmt: skip
    assert [one.name for one in random_traces((0.5,), (), GUEST, 1)] == ["density-0.5-run-2"]


def test_a_run_must_fit_into_the_guest() -> None:
    """A tenth of 4096 pages are 409.6."""
    random_traces((0.1,), (409,), GUEST, 1)
    with pytest.raises(BadInput, match=r"a run of 410 pages .* at a density of 0.1 in .* 16MiB"):
        random_traces((0.1,), (2, 410), GUEST, 1)


@pytest.mark.usefixtures("short_runs")
def test_the_maps_are_as_dirty_as_asked_and_their_runs_as_long(
    dirtyscan: Run, tmp_path: Path
) -> None:
    done = dirtyscan("bench", *SMALL, "--density", "0.1,25%", "--run", "16")
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results/latest"
    rows = pd.read_csv(results / "speedups.csv")
    assert set(rows["condition"]) == {"density-0.1-run-16-fixed", "density-0.25-run-16-fixed"}
    assert set(rows["snapshots"]) == {MAPS}
    for density in (0.1, 0.25):
        maps = pages(results / f"traces/density-{density}-run-16-fixed-synthetic.trace")
        # Some 26 or 64 runs a map, in 8 maps, of clean stretches that differ: 5 sd of their mean.
        assert np.mean(maps) == pytest.approx(density, rel=0.35)
        for one in maps:
            lengths = [len(list(run)) for dirty, run in groupby(one) if dirty]
            whole = lengths[:-1] if one[-1] else lengths
            assert set(whole) <= {16}


@pytest.mark.usefixtures("short_runs")
def test_they_stand_beside_conditions_that_are_named_and_in_the_place_of_the_letters(
    dirtyscan: Run, tmp_path: Path
) -> None:
    def measured(*arguments: str) -> list[str]:
        done = dirtyscan("bench", *SMALL, "--set", "max_ticks=12", *arguments)
        assert done.returncode == 0, done.stderr
        rows = pd.read_csv(tmp_path / "results/latest/speedups.csv")
        return list(dict.fromkeys(rows["condition"]))

    assert measured("--density", "0.5") == ["density-0.5-run-2"]
    both = ("--density", "0.5", "--condition", "cond1", "--trace", "own.trace")
    traces = tmp_path / "results/latest/traces"
    (traces / "density-0.5-run-2-synthetic.trace").rename(tmp_path / "own.trace")
    assert measured(*both) == ["cond1", "density-0.5-run-2"]
    names = {path.name for path in traces.iterdir()}
    assert names == {f"{stem}-synthetic.trace" for stem in ("cond1", "density-0.5-run-2", "own")}


def test_a_table_without_claims_has_no_column_of_claims() -> None:
    """Beside them the names of random maps were cut off, in a terminal of 80 columns."""
    rows = read_table(Path(__file__).parent.parent / "results/amd-epyc-25-1", SPEEDUPS)
    rows = rows[rows["condition"] == "cond1"].assign(condition="density-0.1-run-16-fixed")
    names = ["claim_low", "claim_high", "calls_below", "calls_within", "calls_above"]
    shown = Console(width=80)
    with shown.capture() as with_claims:
        shown.print(results_table(rows))
    with shown.capture() as without:
        shown.print(results_table(rows.assign(**dict.fromkeys(names, np.nan), remark="")))
    assert "claimed" in with_claims.get()
    assert "claimed" not in without.get()
    assert "verdict" not in without.get()
    assert "density 0.1, run 16" in without.get()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--density", "1.5"], "argument --density: '1.5' is not a share of pages from 0 to 1"),
        (["--density", "nan"], "argument --density: 'nan' is not a share"),
        (["--density", "0.1,"], "argument --density: '0.1,' is not a share"),
        (["--density", "0.1", "--run", "0"], "argument --run: '0' is not a whole number of pages"),
        (["--density", "0.1", "--run", "1.5"], "argument --run: '1.5' is not a whole number"),
        (["--run", "16"], "give their --density too, or leave it out"),
        (["--density", "0.9", "--run", "2"], "clean runs would be shorter than a page"),
        (["--density", "0.1", "--run", "99999"], "a run of 99999 pages does not fit into"),
    ],
)
def test_maps_that_cannot_be_made(arguments: list[str], sentence: str, dirtyscan: Run) -> None:
    done = dirtyscan("bench", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert sentence in done.stderr
