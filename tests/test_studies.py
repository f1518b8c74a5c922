"""The studies: maps as they were asked for, tables from rows, and the commands on small guests."""

import argparse
import dataclasses
import importlib
import math
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.cli import main
from harness.commands import study_run
from harness.counting.callgrind import Program, count_instructions, require_valgrind
from harness.native.build import build_driver, build_variant
from harness.native.description import Description
from harness.native.finding import find_variant
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import default_toolchain
from harness.native.variant import Variant
from harness.report.contents import all_sections
from harness.results.environment import read_environment
from harness.studies import _read_question, load_study, operations, questions, size
from harness.studies.density import grid
from harness.studies.size import reach
from harness.studies.study import Exhibit, Options, Study
from tests.conftest import Run, store
from tests.needs import needs
from tests.test_gate import SOURCE
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, draw_map, is_possible

RESULTS = Path(__file__).parent.parent / "results"


@pytest.mark.parametrize("name", questions())
def test_a_question_is_read_as_it_is_written(name: str) -> None:
    """It is read from the source, so that help and mistakes load nothing that computes."""
    assert questions()[name] == importlib.import_module(f"harness.studies.{name}").QUESTION


def test_a_module_without_a_question_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "answer.py").write_text('"""42."""\nQUESTIONS = ()\n')
    with pytest.raises(ValueError, match=r"answer\.py is no study: it has no QUESTION"):
        _read_question(tmp_path / "answer.py")


def test_no_part_of_a_study_can_be_forgotten() -> None:
    for kind in (Study, Exhibit):
        assert all(
            field.default is field.default_factory is dataclasses.MISSING
            for field in dataclasses.fields(kind)
        )


def test_every_picture_of_a_study_has_its_section_of_the_page() -> None:
    sections = {section.key: section for section in all_sections()}
    assert len(sections) == len(all_sections())
    for name, question in questions().items():
        exhibit = load_study(name).exhibit
        assert (name in sections) == (exhibit is not None)
        if exhibit:
            assert sections[name].title == exhibit.title
            assert sections[name].command == (question.command or f"dirtyscan study {name}")


@pytest.mark.parametrize("name", questions())
def test_a_stored_study_can_be_shown_again(name: str) -> None:
    path = RESULTS / f"amd-epyc-26-2-{name}" / f"{name}.csv"
    if not path.exists():
        pytest.skip("needs a stored result of this study")
    study, found = load_study(name), pd.read_csv(path)
    tables = [study.summary(found.assign(reason="").fillna({"scaled": ""}))]
    if study.exhibit:
        assert set(study.exhibit.shown) <= set(found)
        tables.append(study.exhibit.figures(found))
    for table in tables:
        assert table.lines
        assert {len(line) for line in table.lines} == {len(table.columns)}


def test_all_studies_are_run_up_to_the_first_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations are the last, and have no picture."""
    ran = []

    def run(options: argparse.Namespace) -> int:
        ran.append((options.study, options.output, options.plots))
        return int(options.study == "operations")

    monkeypatch.setattr(study_run, "run", run)
    assert main(["study", "all", "--output", "o/{study}", "--plots", "p/{study}"]) == 1
    asked = [name for name, question in questions().items() if not question.command]
    expected = [(name, f"o/{name}", f"p/{name}") for name in asked]
    assert ran[: len(asked) - 1] == expected[:-1]
    assert ran[len(asked) - 1 :] == [("operations", "o/operations", "plots")]


@given(density=st.floats(0.01, 0.99), mean_run=st.floats(1, 200), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_random_map_is_as_it_was_asked_for(density: float, mean_run: float, seed: int) -> None:
    if not is_possible(density, mean_run):
        with pytest.raises(BadInput, match="clean runs would be shorter than a page"):
            RandomRuns(density, mean_run)
        return
    runs = RandomRuns(density, mean_run)
    dirty = draw_map(GuestMemory(2**18 * 4096), runs, seed)
    assert len(dirty) == 2**18
    starts = int(dirty[0]) + int(np.count_nonzero(dirty[1:] > dirty[:-1]))
    # Both are means over about 2**18 / (mean_run / density) runs, of about their own deviation.
    pairs = 2**18 * density / mean_run
    allowed = 6 / math.sqrt(pairs)
    assert dirty.mean() == pytest.approx(density, abs=allowed * max(density, 1 - density))
    assert dirty.sum() / max(1, starts) == pytest.approx(mean_run, rel=allowed + 1 / pairs)


def test_random_maps_at_the_ends() -> None:
    memory = GuestMemory(1000 * 4096)
    assert draw_map(memory, RandomRuns(0, 1), 1).sum() == 0
    assert draw_map(memory, RandomRuns(1, 1), 1).sum() == 1000
    alternating = draw_map(memory, RandomRuns(0.5, 1), 1)
    assert (alternating[1:] != alternating[:-1]).all()


@pytest.mark.parametrize(("density", "mean_run"), [(-0.1, 1), (1.1, 1), (0.5, 0.5)])
def test_maps_that_cannot_be(density: float, mean_run: float) -> None:
    with pytest.raises(BadInput, match="cannot be made"):
        RandomRuns(density, mean_run)


def test_the_grid_has_every_possible_map_once() -> None:
    cells = grid()
    assert len({cell.name for cell in cells}) == len(cells)
    assert {0.0, 1.0} <= {cell.density for cell in cells}


def test_where_a_share_of_a_tick_is_reached() -> None:
    sizes, shares = [1.0, 10.0, 100.0], [0.001, 0.02, 0.2]
    assert reach(sizes, shares, 0.02).bytes == pytest.approx(10)
    assert not reach(sizes, shares, 0.02).extrapolated
    assert 10 < reach(sizes, shares, 0.1).bytes < 100
    beyond = reach(sizes, shares, 1.0)
    assert beyond.bytes == pytest.approx(500)
    assert beyond.extrapolated
    assert reach(sizes, shares, 0.0001).bytes == pytest.approx(0.1)


@needs("valgrind")
def test_instructions_are_those_of_the_loop() -> None:
    """A loop over a known number of pages takes a whole number of instructions a page."""
    toolchain = default_toolchain()
    library = build_variant(find_variant("bitmap_test_bit", "count"), toolchain).path
    program = Program(build_driver(toolchain).path, library)

    def count(pages: int) -> list[int]:
        snapshots = make_snapshots([np.full(pages // 8, 0x0F, np.uint8)] * 2, [0, 1])
        found = count_instructions(program, GuestMemory(pages * 4096), snapshots)
        assert not isinstance(found, str)
        return [counts.instructions for counts in found]

    small, large = count(8192), count(16384)
    assert len(small) == 2
    for less, more in zip(small, large, strict=True):
        per_page = (more - less) / 8192
        assert per_page == int(per_page)
        assert 3 <= per_page <= 20
    assert count(8192) == small


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        ("kill -ILL $$", "valgrind does not know its instructions"),
        ("exit 3", "valgrind ended with status 3"),
    ],
)
def test_what_valgrind_cannot_run_is_said(
    ending: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "valgrind"
    program.write_text(f"#!/bin/sh\n{ending}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    snapshots = make_snapshots([np.zeros(1024, np.uint8)], [0])
    driven = Program(tmp_path / "driver", tmp_path / "variant")
    assert count_instructions(driven, GuestMemory(8192 * 4096), snapshots) == sentence


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("study", ["density", "size", "toolchains", "tick", "assumptions"])
def test_a_study_makes_its_table_and_picture(study: str, dirtyscan: Run, tmp_path: Path) -> None:
    small = {
        "density": ["--guest-memory", "1MiB", "--variant", "word_sum"],
        "size": ["--guest-memory", "1MiB", "--guest-memory", "4MiB", "--variant", "word_sum"],
        "toolchains": ["--toolchain", "cc-era", "--toolchain", "cc-distro"],
        "tick": ["--guest-memory", "1MiB", "--guest-memory", "4MiB"],
        "assumptions": ["--guest-memory", "64MiB"],
    }[study]
    done = dirtyscan("study", study, *small, "--output", "{study}-out")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    table = pd.read_csv(tmp_path / f"{study}-out/{study}.csv")
    assert (table["speedup"] > 0).all()
    assert table["speedup_low"].le(table["speedup_high"]).all()
    if study == "density":
        maps = table[table["trace"].isna() & (table["variant"] == "word_sum")]
        assert len(maps) == len(grid())
    if study == "size":
        assert sorted(set(table["guest_memory_bytes"])) == [2**20, 2**22]
        assert set(table["variant"]) >= {"page_by_page", "word_sum", "read_limit"}
    if study == "toolchains":
        first = table[table["toolchain"] == "cc-era"]["original_against_first"]
        assert first.to_numpy() == pytest.approx(1)
    if study == "assumptions":
        assert table["condition"].value_counts().to_dict() == {
            "cond1": 7, "cond2": 8, "cond3": 8, "cond4": 8,
        }  # fmt: skip
        everywhere = table[table["assumption"] == "alternating over all of memory"]
        assert everywhere["speedup"].item() < table["speedup"].median()
    if study == "tick":
        designs = {"byte_map", "bitmap", "counted_bitmap", "two_level"}
        assert set(table["variant"]) == designs
        assert len(table) == len(designs) * (4 + 2)
    assert (tmp_path / f"plots/{study}.png").stat().st_size > 5000


def test_without_valgrind_its_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="apt-get install valgrind"):
        require_valgrind()


@needs("valgrind")
def test_the_study_of_instructions(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.c").write_text(SOURCE % "dirty += page == 0;")
    variants = ("page_by_page", "counter", "wrong.c")
    done = dirtyscan("study", "instructions", *(f"--variant={name}" for name in variants))
    assert done.returncode == 0, done.stderr
    assert "left out: variant wrong counts " in done.stderr
    assert "left out: variant counter: its cost is paid in merge and mark" in done.stderr
    table = pd.read_csv(tmp_path / "results/instructions/instructions.csv")
    assert set(table["condition"]) == {"cond1", "cond2", "cond3", "cond4"}
    # The original does the same for every page, whatever the map holds.
    assert table["instructions_per_page"].max() / table["instructions_per_page"].min() < 1.2


def test_a_budget_that_cannot_be_enough_is_refused_before_maps_are_made(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told after nearly 4 minutes, and left a run behind that the next one kept aside."""
    monkeypatch.setattr(size, "SIZES", (2**22, 2**40))
    monkeypatch.setattr("harness.studies.size.check_fits", lambda _: None)
    monkeypatch.setattr("harness.session.measured.prepare", None)  # which makes the maps
    done = dirtyscan("study", "size", "--variant", "word_sum", "--budget", "1.5")
    assert done.returncode == 2
    least = r"a budget of 1\.5 s is shorter than one round .*, which takes \d+\.\d s and more"
    assert re.search(least, done.stderr)
    assert not (tmp_path / "results/size/unfinished").exists()


def test_a_run_without_a_round_leaves_nothing_behind(dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("bench", "--quick", "--condition", "cond1", "--budget", "0.01")
    assert "is shorter than one round" in done.stderr
    assert [path.name for path in (tmp_path / "results/latest").iterdir()] in ([], [".lock"])


@pytest.mark.parametrize(
    ("default", "command"),
    [
        ("harness.commands.bench.QUICK_BUDGET", ("bench", "--quick", "--trace", "x.trace")),
        ("harness.commands.compare_run.BUDGET", ("compare", *["page_by_page", "multi_page"])),
    ],
)
def test_a_budget_that_nobody_named_refuses_nothing(
    default: str, command: tuple[str, ...], dirtyscan: Run, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """On a host whose core was shared a round took longer than the 70 s of one's claims."""
    store(tmp_path / "x.trace", [np.arange(512) % 7 == 0])
    monkeypatch.setattr(default, 1e-3)
    trace = () if "--trace" in command else ("--trace", "x.trace")
    done = dirtyscan(*command, *trace, "--output", "r")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "r/speedups.csv")
    assert set(rows["processes"]) == {2}
    assert set(rows["stopped"]) == {"budget"}
    named = dirtyscan(*command, *trace, "--output", "s", "--budget", "0.001")
    assert "a budget of 0.001 s is shorter than one round" in named.stderr


def test_a_guest_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Little:
        available = 2**30

    monkeypatch.setattr("psutil.virtual_memory", Little)
    options = Options(sizes=(4 * 2**40,))
    with pytest.raises(BadInput, match=r"this machine has 1024MiB free; give at most 1024GiB"):
        size.request(options)


def test_a_size_whose_limit_is_none_leaves_the_others_in_the_picture() -> None:
    """One of six had none, and the picture had no share at any."""
    found = pd.read_csv(RESULTS / "amd-epyc-26-2-size" / "size.csv")
    sizes = sorted(set(found["guest_memory_bytes"]))
    for place, share in ((0, 0.5), (1, np.nan)):
        found.loc[found["guest_memory_bytes"] == sizes[place], "share_of_limit"] = share
    shares = size.draw_size(found).axes[1].get_lines()
    drawn = [set(np.asarray(line.get_xdata())) for line in shares if line.get_gid()]
    assert drawn
    assert all(sizes[0] in line and sizes[1] not in line for line in drawn)


@pytest.mark.usefixtures("short_runs")
def test_the_study_of_operations(dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("study", "operations", "--operation", "merge")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    table = pd.read_csv(tmp_path / "results/operations/operations.csv")
    assert set(table["variant"]) >= {"per_bit", "per_word"}
    assert "read_limit" not in set(table["variant"])
    best = table.groupby(["trace", "origin"])["share_of_best"].max()
    assert best.to_numpy() == pytest.approx(1)
    assert (table["share_of_best"] > 0).all()
    # The page said of such a study that it was made when the result beside it was.
    assert read_environment(tmp_path / "results/operations")["toolchains"]


def test_without_rustc_what_cannot_be_compared_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that nothing was measured by the exit status."""
    monkeypatch.setattr("harness.native.toolchain.path_of_rust", lambda _: None)
    monkeypatch.chdir(tmp_path)
    assert operations.original_here("merge") == "per_bit"
    assert main(["study", "operations", "--operation", "mark"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "dirtyscan: nothing was measured: mark (variant per_page needs rustc, which is not here "
        "(install it from rustup.rs); of the others only store_whole can be measured)."
    )
    assert not list(tmp_path.iterdir())


def test_without_rustc_variants_in_c_are_compared_with_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever it is that they are compared with, the shares of the best are the same."""

    def describe(variant: Variant) -> Description:
        if variant.is_rust:
            raise BadInput(f"variant {variant.name} needs rustc.")
        return Description(
            operation=variant.operation, map="bitmap", year=2026, summary="", requires=(),
            paid_in="", bound="limit" in variant.name, for_this_architecture=True,
        )  # fmt: skip

    monkeypatch.setattr(operations, "describe_here", describe)
    assert operations.original_here("ranges") == "edges"
    row = {
        "condition": "cond1", "origin": "captured", "toolchain": "cc", "map": "bitmap",
        "noise_floor": False, "bound": False, "paid_in": "",
    }  # fmt: skip
    seconds = {"a": 4.0, "b": 2.0, "c": 1.0}
    for original in seconds:
        rows = pd.DataFrame(
            {
                **row, "variant": variant, "original": original,
                "variant_seconds": seconds[variant], "original_seconds": seconds[original],
                "speedup": seconds[original] / seconds[variant],
            }
            for variant in seconds if variant != original
        )  # fmt: skip
        found = operations.shares_of_best("ranges", rows).set_index("variant")
        assert dict(found["share_of_best"]) == {"a": 0.25, "b": 0.5, "c": 1.0}
        assert dict(found["seconds"]) == seconds
        assert set(found["original"]) == {original}
