"""Two variants against each other: found by name or file, measured on maps, and said in a line."""

import io
import itertools
import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from harness.base.errors import BadInput
from harness.commands.compare_run import common_operation
from harness.native.built_variant import rust_obstacle
from harness.native.variant import VARIANTS
from harness.report.comparison import comparison_table, comparison_text, said
from harness.results.result import SPEEDUPS, read_table
from tests.conftest import Run, store
from tests.test_operations import two_maps
from tests.test_own_variants import SOURCE

STORED = Path(__file__).parent.parent / "results/amd-epyc-25-1"
RATIO = re.compile(r"x is ([\d.]+) ± ([\d.]+) times (faster|slower) than y on cond1 captured\.")
NAMED = {
    operation.name: {path.name.split(".")[0] for path in operation.glob("*.[cr]*")}
    for operation in VARIANTS.iterdir()
    if operation.is_dir()
}
"""By operation, the names of its variants, as its folder has them."""
PAIRS = [pair for names in NAMED.values() for pair in itertools.combinations(sorted(names), 2)]


def row(speedup: float, low: float, high: float, **more: object) -> dict[str, object]:
    found: dict[str, object] = {
        "condition": "cond1", "origin": "captured", "variant": "x", "toolchain": "cc-era",
        "original": "y", "original_toolchain": "cc-era", "speedup": speedup, "speedup_low": low,
        "speedup_high": high, "placement_low": speedup / 2, "placement_high": speedup * 2,
        "original_seconds": 1e-5, "variant_seconds": 1e-5 / speedup, "stopped": "precise",
        "guest_memory_bytes": 2**29, "operation": "count", "slowed": 0.0, "noise_floor": False,
        "paid_in": "", "quiet_speedup": math.nan, "quiet_low": math.nan,
        "quiet_high": math.nan, "quiet_verdict": "",
    }  # fmt: skip
    return found | more


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two variants of count in files, and a trace."""
    for name in ("old", "new"):
        (tmp_path / f"{name}.c").write_text(SOURCE % "", encoding="utf-8")
    store(tmp_path / "small.trace", two_maps())
    return tmp_path


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_what_rounds_say_that_nothing_has_slowed_is_told(form: str) -> None:
    quiet = {"quiet_speedup": 3.0, "quiet_low": 2.9, "quiet_high": 3.1}
    rows = pd.DataFrame([row(2.0, 1.9, 2.1, slowed=0.4, **quiet)])
    shown = Console(width=80)
    with shown.capture() as capture:
        shown.print(comparison_table(rows))
    text = comparison_text(rows, form) if form == "markdown" else capture.get()
    assert "in 40 % of its rounds" in text.replace("\n", " ")
    assert re.search(r"n the others alone x: cond1 captured 3\.00 ±3\.4%\W", text)


@given(st.floats(0.01, 100), st.floats(1, 1.5), st.floats(1, 1.5))
def test_the_sentence_holds_the_interval(speedup: float, below: float, above: float) -> None:
    low, high = speedup / below, speedup * above
    sentence = said(pd.DataFrame([row(speedup, low, high)]))
    found = RATIO.fullmatch(sentence)
    if low <= 1 <= high:
        assert sentence == "x is no faster or slower than y on cond1 captured."
        return
    assert found
    ratio, reach, way = float(found[1]), float(found[2]), found[3]
    assert way == ("faster" if low > 1 else "slower")
    ends = (low, high) if low > 1 else (1 / high, 1 / low)
    # As good as in it, by less than what a digit more would show.
    assert ratio - reach <= ends[0] * (1 + 1e-6)
    assert ratio + reach >= ends[1] * (1 - 1e-6)
    wide = max(ends[1] - ratio, ratio - ends[0])
    assert reach <= max(2 * wide, wide + 1.001e-4)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(1.001, 1.2)), min_size=2, max_size=9))
def test_over_several_maps_it_counts_them(maps: list[tuple[float, float]]) -> None:
    rows = [row(speedup, speedup / reach, speedup * reach) for speedup, reach in maps]
    assume(all(1 not in (one["speedup_low"], one["speedup_high"]) for one in rows))
    sentence = said(pd.DataFrame(rows))
    counted = {"faster": 0, "slower": 0, "neither": 0}
    for speedup, reach in maps:
        outside = abs(math.log(speedup)) > math.log(reach)
        counted[("faster" if speedup > 1 else "slower") if outside else "neither"] += 1
    for way in ("faster", "slower"):
        found = re.search(rf"\b{way} on (\d+) of {len(maps)} maps, ([\d.]+)", sentence)
        assert (int(found[1]) if found else 0) == counted[way], sentence
    assert ("neither" in sentence) == bool(counted["neither"])


def test_one_process_has_no_interval() -> None:
    frame = pd.DataFrame([row(2.0, 0.0, math.inf)])
    assert said(frame) == "x is no faster or slower than y on cond1 captured."


def test_sides_of_one_name_are_told_apart() -> None:
    one = row(2.0, 1.9, 2.1, original="x", toolchain="as given")
    assert said(pd.DataFrame([one])).startswith(
        "x (as given) is 2.00 ± 0.10 times faster than x (cc"
    )


def test_the_table_fits_a_terminal_and_judges_nothing() -> None:
    """Of rows that have claims and verdicts."""
    rows = read_table(STORED, SPEEDUPS)
    rows = rows[~rows["noise_floor"]]
    assert rows["claim_low"].notna().any()
    rows = pd.concat([rows, rows.assign(condition="density-0.001-run-4096-fixed")])
    shown = Console(width=80)
    with shown.capture() as capture:
        shown.print(comparison_table(rows))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert not re.search("claim|verdict|reproduced|weaker", text)
    for one in rows.to_dict("records"):
        assert f"{one['speedup']:.2f}" in text
    assert "density 0.001, run 4096" in text


def test_what_is_pasted_has_the_figures_of_the_rows() -> None:
    rows = read_table(STORED, SPEEDUPS)
    rows = rows[~rows["noise_floor"]].reset_index(drop=True)
    read = pd.read_csv(io.StringIO(comparison_text(rows, "csv")))
    decoded = json.loads(comparison_text(rows, "json"))
    for name in ("speedup", "speedup_low", "speedup_high", "placement_low", "variant_seconds"):
        assert read[name].to_numpy() == pytest.approx(rows[name].to_numpy())
        assert [one[name] for one in decoded] == pytest.approx(rows[name].tolist())
    assert not {"verdict", "claim_low"} & {*read, *decoded[0]}
    lines = comparison_text(rows, "markdown").splitlines()
    assert sum(line.startswith("| cond") for line in lines) == len(rows)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_names_have_the_operation_whose_folder_has_both(pair: tuple[str, str]) -> None:
    both = [name for name, names in NAMED.items() if {*pair} <= names]
    if len(both) == 1:
        assert common_operation(*pair, None) == both[0]
    else:
        with pytest.raises(BadInput, match=r"say which is meant with --operation \w+\.$"):
            common_operation(*pair, None)
    for operation in both:
        assert common_operation(*pair, operation) == operation


def test_a_file_says_its_operation_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.c"
    path.write_text((SOURCE % "").replace('"count", .map', '"merge", .map'), encoding="utf-8")
    assert common_operation("per_bit", str(path), None) == "merge"
    with pytest.raises(BadInput, match=r"multi_page is a variant of count and .* one of merge"):
        common_operation("multi_page", str(path), None)
    with pytest.raises(BadInput, match=r"mine\.c is a variant of merge and not of count"):
        common_operation("page_by_page", str(path), "count")


def test_rust_says_it_too() -> None:
    if rust_obstacle():
        pytest.skip(rust_obstacle())
    assert common_operation("edges", str(VARIANTS / "ranges" / "word_runs.rs"), None) == "ranges"


@pytest.mark.usefixtures("short_runs")
def test_two_files_are_compared_on_one_line(dirtyscan: Run, small: Path) -> None:
    done = dirtyscan("compare", "old.c", "new.c", "--trace", "small.trace", "--density", "0.1,0.5",
                     "--guest-memory", "4MiB")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(small / "results/compare/speedups.csv")
    assert rows["condition"].tolist() == ["density-0.1-run-1.11111", "density-0.5-run-2", "test"]
    assert set(rows["variant"]) == {"new"}
    assert set(rows["original"]) == {"old"}
    lines = done.stdout.splitlines()
    assert lines[:3] == ["A: old (cc-era)", "B: new (cc-era)", "guest: 4MiB, 4000KiB"]
    maps = [line[:13].strip() for line in lines[4:7]]
    assert maps == ["density 0.1", "density 0.5", "test imported"]
    assert re.search("^new against old: .*of 3", done.stdout, re.MULTILINE)
    assert max(map(len, lines)) <= 80
    # Of the same options, and by other names of the same files.
    done = dirtyscan("compare", "./old.c", "old.c", "--density", "0.5")
    assert done.returncode == 2
    assert "A and B are both old; name two variants." in done.stderr


@pytest.mark.usefixtures("short_runs")
def test_what_is_pasted_stands_alone_on_standard_output(dirtyscan: Run, small: Path) -> None:
    done = dirtyscan("compare", "old.c", "new.c", "--trace", "small.trace", "--format", "json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    rows = pd.read_csv(small / "results/compare/speedups.csv")
    assert found["speedup"] == pytest.approx(rows["speedup"][0])


@pytest.mark.usefixtures("short_runs")
def test_the_maps_of_a_condition_are_recorded_ones_where_they_fit(
    dirtyscan: Run, tmp_path: Path
) -> None:
    def origins(*arguments: str) -> set[str]:
        done = dirtyscan("compare", "multi_page", "word_test", "--condition", "cond1", *arguments)
        assert done.returncode == 0, done.stderr
        return set(pd.read_csv(tmp_path / "results/compare/speedups.csv")["origin"])

    assert origins() == {"recorded"}
    assert origins("--guest-memory", "4MiB", "--set", "max_ticks=12") == {"synthetic"}
    assert origins("--set", "max_ticks=12") == {"synthetic"}


def test_a_variant_that_goes_astray_has_no_row(dirtyscan: Run, small: Path) -> None:
    (small / "new.c").write_text(SOURCE % "dirty++;", encoding="utf-8")
    done = dirtyscan("compare", "old.c", "new.c", "--trace", "small.trace")
    assert done.returncode == 1
    assert "failed: variant new (cc-era) counts" in done.stderr
    assert "speedup" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["multi_page"], "the following arguments are required: B"),
        (["fast", "multi_page"], "variant 'fast' is not known in any operation"),
        (["multi_page", "all"], "variant 'all' is not known in any operation"),
        (["multi_page", "none.c"], "variant none.c cannot be read"),
        (["multi_page", "multi_page"], "A and B are both multi_page; name two variants"),
        (["multi_page", "per_word"], "compare two of the same operation"),
        (["page_by_page", "read_limit"], "say which is meant with --operation count"),
        (["edges", "read_limit", "--operation", "next"], "edges is a variant of ranges and not of"),
        (["edges", "read_limit", "--operation", "sort"], "operation 'sort' is not known"),
        (["page_by_page", "counter"], "the cost of variant counter is paid in"),
        (["multi_page", "word_sum", "--run", "4"], "give their --density too"),
        (["multi_page", "word_sum", "--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (["multi_page", "word_sum", "--trace", "none.trace"], "trace none.trace cannot be opened"),
        (["multi_page", "word_sum", "--resume"], "there is no unfinished run in results/compare"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str, dirtyscan: Run) -> None:
    done = dirtyscan("compare", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert sentence in done.stderr
