"""Settling claims: which are measured together, by what, and what keeps one from it."""

import dataclasses
import math
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.claims.claim import Claim, read_claims
from harness.claims.settled import not_measured, to_table
from harness.claims.settlement import group_claims, obstacle, request_group, settle
from harness.cli import main
from harness.kernel.claimed import CLAIMED
from harness.measurement.choice import choose
from harness.native.build import build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.finding import find_variant
from harness.native.toolchain import default_toolchain
from harness.presentation.claims_table import figures
from harness.studies.claims import STUDY
from harness.trial.failure import Failure
from tests.conftest import store
from tests.test_claims import ENTRY

CRASH = """
#include "dirtyscan.h"
static uint64_t count(const struct dirtyscan_map *map) { return *(volatile uint64_t *)8; }
const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "a test", .run.count = count,
};
"""
ABOUT_TRACE = """
[[claim]]
name = "{name}"
source = ""
date = ""
operation = "count"
original = "{original}"
variant = "{variant}"
trace = "{trace}"
low = 0.001
note = ""
"""


@pytest.mark.usefixtures("short_runs")
def test_every_claim_that_was_announced_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured, and each by the rows of its own file and trace; or with the reason why not."""
    monkeypatch.chdir(tmp_path)
    word_sum = find_variant("word_sum", "count")
    shutil.copy(build_variant(word_sum, default_toolchain()).path, "mine.so")
    shutil.copy(word_sum.sources[0], "word_sum.c")  # called like the one that is built in
    for folder in ("a", "b"):
        Path(folder).mkdir()
        shutil.copy(word_sum.sources[0], f"{folder}/mine.c")
    Path("crash.c").write_text(CRASH)
    for name, pages in (("small.trace", 3000), ("large.trace", 5000)):
        store(Path(name), [np.arange(pages) % 7 == tick for tick in range(3)])
    elsewhere = "neon" if platform.machine() == "x86_64" else "avx2"
    measured = {
        "binary": ("page_by_page", "mine.so", "small.trace"),
        "named-alike": ("page_by_page", "word_sum.c", "large.trace"),
        "built-in": ("page_by_page", "word_sum", "small.trace"),
        "first": ("page_by_page", "a/mine.c", "large.trace"),
        "second": ("page_by_page", "b/mine.c", "small.trace"),
    }
    missing = {
        "paid": ("page_by_page", "counter", "small.trace"),
        "elsewhere": ("page_by_page", elsewhere, "small.trace"),
        "crashing": ("page_by_page", "crash.c", "small.trace"),
        "no-trace": ("page_by_page", "word_sum", "none.trace"),
        "not-compiled": ("page_by_page", "small.trace.c", "small.trace"),
    }
    Path("small.trace.c").write_text("int x = ;")
    Path("mine.toml").write_text(
        "".join(
            ABOUT_TRACE.format(name=name, original=original, variant=variant, trace=trace)
            for name, (original, variant, trace) in (measured | missing).items()
        )
    )
    options = ["--claims", "mine.toml", "--precision", "50%", "--budget", "600"]
    assert main(["claims", "run", *options]) == 1  # since one crashed
    out = capsys.readouterr().out
    rows = pd.read_csv("results/claims/claims.csv").set_index("claim")
    assert sorted(rows.index) == sorted([*measured, *missing])
    for name, (_, variant, trace) in measured.items():
        row = rows.loc[name]
        assert row["verdict"] == "reproduced", name
        assert row["variant"] == variant
        assert row["guest_memory_bytes"] == 4096 * (3000 if trace == "small.trace" else 5000)
        assert row["speedup"] > 0
        assert row[["reason"]].isna().all()
    speedups = pd.read_csv("results/claims/count-page_by_page/speedups.csv")
    assert set(speedups["variant"]) == {"mine.so", "word_sum", "word_sum.c", "mine", "b/mine.c"}
    assert (rows.loc[[*missing], "verdict"] == "not measured").all()
    assert rows.loc[[*missing], ["speedup", "speedup_low", "variant_seconds"]].isna().all(axis=None)
    said = rows["reason"]
    assert "the cost of variant counter is paid in merge and mark" in said["paid"]
    assert f"variant {elsewhere} is not for" in said["elsewhere"]
    assert f"variant crash ({default_toolchain().name}) crashes" in said["crashing"]
    assert "trace none.trace cannot be opened" in said["no-trace"]
    assert "does not compile" in said["not-compiled"]
    for claim, reason in said[[*missing]].items():
        assert f"not measured: {claim} ({reason})" in out
    page = {cells[0]: cells[1:] for cells in figures(rows.reset_index()).lines}
    assert page["paid"] == ("small.trace", "0.001 or more", "", "", "not measured")
    assert Path("plots/claims.png").stat().st_size > 5000


NOT_SLOWED: dict[str, Any] = {
    "claim": "", "slowed": 0.02, "quiet_speedup": math.nan, "quiet_low": math.nan,
    "quiet_high": math.nan, "quiet_verdict": "",
}  # fmt: skip


def test_beside_a_neighbour_a_claim_is_judged_by_the_other_rounds_too() -> None:
    """One of single calls as its run has judged them; one of a figure by their interval."""
    over_calls = dataclasses.replace(read_claims()[0], name="ours")
    of_figure = dataclasses.replace(over_calls, over_calls=False)
    rows = pd.DataFrame(
        {
            "variant": "multi_page", "condition": ["cond1", "cond2"], "origin": "captured",
            "guest_memory_bytes": 2**29, "speedup": 9.0, "speedup_low": 8.9, "speedup_high": 9.1,
            "original_seconds": 1.0, "variant_seconds": 1.0, "placement_low": math.nan,
            "placement_high": math.nan, "toolchain": "cc", "original_toolchain": "cc",
            "slowed": 0.8, "quiet_speedup": 7.0, "quiet_low": 6.9, "quiet_high": 7.1,
            "claim": "ours", "quiet_verdict": "in part",
        }
    )  # fmt: skip
    found = []
    for claim, of_row in ((over_calls, "ours"), (over_calls, "letter-cond1"), (of_figure, "")):
        (group,) = group_claims([claim])
        (one,) = settle(group, rows.assign(claim=of_row), rows, 2, [])
        assert (one.verdict, one.slowed, one.quiet_speedup) == ("reproduced", 0.8, 7.0)
        found.append(one)
    assert [one.quiet_verdict for one in found] == ["in part", "", "weaker"]
    notes = STUDY.summary(to_table(found)).notes
    assert notes == (
        "! something slowed the original by a quarter or more in 80 % of its rounds",
        "! ours on cond1 captured, in the others alone 7.00 ±1.4% (in part)",
        "! ours on cond1 captured, in the others alone 7.00 ±1.4% (weaker)",
        "! the others alone judge 2 of 3 lines, 0 of them alike",
    )
    assert STUDY.exhibit
    figure = STUDY.exhibit.draw(to_table(found))
    (legend,) = figure.legends
    assert "rounds that nothing slowed" in [text.get_text() for text in legend.get_texts()]
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [np.asarray(line.get_xdata()).tolist() for line in crosses] == [[7.0]] * 3
    quiet = rows.assign(**NOT_SLOWED)
    (group,) = group_claims([of_figure])
    assert not STUDY.summary(to_table(settle(group, quiet, quiet, 2, []))).notes


def test_a_variant_that_went_astray_settles_nothing() -> None:
    """Whatever rows it has from before; and rows are never taken for those of other traces."""
    claim = dataclasses.replace(read_claims()[0], variant="word_sum")
    (group,) = group_claims([claim])
    rows = pd.DataFrame(
        {
            "variant": "word_sum", "condition": ["cond1", "cond2"], "origin": "captured",
            "guest_memory_bytes": 2**29, "speedup": [9.0, 2.0], "speedup_low": [8.5, 2.0],
            "speedup_high": [9.5, 2.0], "original_seconds": 1.0, "variant_seconds": 1.0,
            "toolchain": "cc", "original_toolchain": "cc",
            "placement_low": [6.0, 2.0], "placement_high": [10.0, 2.0], **NOT_SLOWED,
        }
    )  # fmt: skip
    calls = pd.concat([rows.assign(speedup=speedup) for speedup in (8.5, 8.9, 9.0, 6.0)])
    (found,) = settle(group, rows, calls, 2, [])
    assert (found.verdict, found.speedup, found.calls_within) == ("reproduced", 9.0, 0.75)
    assert found.by_placement == "weaker to reproduced"
    failure = Failure(1, "word_sum", "cc", "cond2-captured", 3, "crashes")
    for traces, failures, reason in (
        (2, [failure], "variant word_sum (cc) crashes, in snapshot 3 of cond2-captured"),
        (3, [], "its run has 2 rows of it, not 3"),
    ):
        (found,) = settle(group, rows, calls, traces, failures)
        assert (found.verdict, found.speedup, found.reason) == ("not measured", None, reason)


@pytest.mark.usefixtures("short_runs")
def test_a_claim_is_judged_by_its_toolchain_and_says_what_another_gives() -> None:
    claim = Claim(
        "f", "", "", "merge", "per_bit", "per_word", 2.0, 4.0, "",
        toolchain="cc-distro", beside="cc-popcnt", conditions=("cond1",),
    )  # fmt: skip
    (group,) = group_claims([claim])
    rows = pd.DataFrame(
        {
            "variant": "per_word", "condition": "cond1", "guest_memory_bytes": 2**29,
            "origin": ["recorded", "captured"] * 2, "speedup": [3.0, 2.5, 9.0, 8.5],
            "speedup_low": [2.9, 2.4, 8.0, 8.4], "speedup_high": [3.1, 2.6, 10.0, 8.6],
            "original_seconds": 1.0, "variant_seconds": 1.0, "placement_low": math.nan,
            "placement_high": math.nan, "toolchain": ["cc-distro"] * 2 + ["cc-popcnt"] * 2,
            **NOT_SLOWED,
        }
    )  # fmt: skip
    rows["original_toolchain"] = rows["toolchain"]
    first, second = settle(group, rows, rows, 2, [])
    assert (first.toolchain, first.speedup, first.verdict) == ("cc-distro", 3.0, "reproduced")
    assert (first.beside_toolchain, first.beside_speedup) == ("cc-popcnt", 9.0)
    assert (first.beside_low, first.beside_high, first.beside_verdict) == (8.0, 10.0, "stronger")
    assert (second.speedup, second.beside_speedup) == (2.5, 8.5)
    (found, _) = settle(group, rows.head(2), rows, 2, [])
    assert (found.verdict, found.beside_toolchain) == ("reproduced", "")


def test_a_toolchain_that_is_not_here_is_a_reason_and_one_beside_it_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = dataclasses.replace(read_claims()[0], toolchain="cc-distro", beside="cc-popcnt")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert obstacle(entry) == ""
    (group,) = group_claims([entry])
    lanes = request_group(group, 0.01).lineup.lanes
    assert {lane.toolchain for lane in lanes} == {"cc-distro"}
    missing = dataclasses.replace(entry, toolchain="cc-popcnt", beside="")
    assert (
        obstacle(missing) == "toolchain cc-popcnt is for x86_64 and this is aarch64; leave it out"
    )


def test_where_every_variant_goes_astray_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An original that does takes its claims with it, and not those of another."""
    monkeypatch.chdir(tmp_path)
    Path("crash.c").write_text(CRASH)
    store(Path("small.trace"), [np.arange(3000) % 7 == tick for tick in range(3)])
    fields = {"trace": "small.trace"}
    original = ABOUT_TRACE.format(name="a", original="crash.c", variant="word_sum", **fields)
    variant = ABOUT_TRACE.format(name="b", original="page_by_page", variant="crash.c", **fields)
    Path("mine.toml").write_text(original + variant)
    options = ["--claims", "mine.toml", "--budget", "600"]
    assert main(["claims", "run", "a", *options]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    crashes = f"variant crash ({default_toolchain().name}) crashes"
    assert said.startswith(f"dirtyscan: nothing was measured: a ({crashes}")
    assert main(["claims", "run", *options]) == 1
    rows = pd.read_csv("results/claims/claims.csv")
    assert rows["verdict"].to_list() == ["not measured", "not measured"]
    assert rows["reason"].str.startswith(crashes).all()
    assert not Path("plots").exists()


def test_where_nothing_can_be_measured_that_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.native.toolchain.path_of_rust", lambda _: None)
    assert main(["claims", "run", "ch-8899-100", "rust-vmm-130-1"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "dirtyscan: nothing was measured: ch-8899-100 (variant bit_positions needs rustc, which "
        "is not here (install it from rustup.rs)); rust-vmm-130-1 (variant per_page needs rustc, "
        "which is not here (install it from rustup.rs)).\n"
    )
    assert not list(tmp_path.iterdir())


def test_one_claim_that_cannot_be_measured_does_not_take_others_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one original in C, only the claims on variants in Rust need rustc."""
    monkeypatch.setattr("harness.native.toolchain.path_of_rust", lambda _: None)
    (tmp_path / "mine.rs").write_text("")
    entry = ENTRY.replace('"fetch_and_all"', '"read_limit"')
    both = entry.replace("skip_clean", "skip_lines_vector") + entry.replace(
        '"mine"', '"rust"'
    ).replace("skip_clean", str(tmp_path / "mine.rs"))
    (tmp_path / "mine.toml").write_text(both)
    in_c, in_rust = read_claims(tmp_path / "mine.toml")
    assert group_claims([in_c, in_rust])[0].claims == (in_c, in_rust)
    assert "needs rustc" in obstacle(in_rust)
    assert "rustc" not in obstacle(in_c)


def test_files_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b", "c"):
        Path(folder).mkdir()
        for name in ("x.c", "y.so"):
            (Path(folder) / name).touch()
    (tmp_path / "y.so").touch()
    names = ["a/x.c", "b/x.c", "c/x.c", "c/x.c", "y.so", "a/y.so", "word_sum"]
    assert choose(names, "count", "b/x.c").called == {
        "a/x.c": "a/x.c", "b/x.c": "x", "c/x.c": "c/x.c", "y.so": "y.so", "a/y.so": "a/y.so",
        "word_sum": "word_sum",
    }  # fmt: skip
    assert choose(["y.so", "c/y.so"], "count", "a/y.so").called == {
        "y.so": str(tmp_path / "y.so"), "c/y.so": "c/y.so",
    }  # fmt: skip


@pytest.mark.skipif(bool(rust_obstacle()), reason="needs rustc")
def test_a_claim_about_a_larger_guest_is_scaled_and_says_so() -> None:
    (claim,) = (claim for claim in read_claims() if claim.name == "ch-7468-1")
    assert claim.guest_memory == 12 * 2**40
    assert claim.scaled_to == 2**39
    assert claim.unscaled().scaled_to == claim.guest_memory
    assert not_measured(claim, "").scaled == (
        "12TiB scaled down 24 times to 512GiB with the same density and runs"
    )
    groups = group_claims([claim, dataclasses.replace(claim, scaled_to=2**34)])
    assert [request_group(group, 0.01).rounds for group in groups] == [1, 3]
    (small,) = (claim for claim in read_claims() if claim.name == "ch-8899-sparse-1")
    assert small.scaled_to == small.guest_memory == 64 * 2**30


def test_claims_of_one_original_are_measured_together() -> None:
    alike = ("a/page_by_page-3.c", "b/page_by_page.c", "c/page_by_page.c")
    others = [dataclasses.replace(read_claims()[0], original=path) for path in alike]
    groups = group_claims([*read_claims(), *others])
    assert sum(len(group.claims) for group in groups) == len(read_claims()) + 3
    assert len({group.name for group in groups}) == len(groups)
    for group in groups:
        assert {(c.operation, c.original, c.toolchains) for c in group.claims} == {
            (group.operation, group.original, group.toolchains)
        }


@pytest.mark.skipif(bool(rust_obstacle()), reason="needs rustc")
def test_what_a_benchmark_claims_is_called_again_as_it_does() -> None:
    """A migration has other work between two counts; a benchmark has none, and claims no more."""
    for group in group_claims([claim for claim in read_claims() if not obstacle(claim)]):
        if group.operation not in CLAIMED:
            again = {claim.again for claim in group.claims}
            assert again == {not request_group(group, 0.01).other_work}
    by_name = {claim.name: claim.again for claim in read_claims()}
    assert by_name["rust-vmm-130-64"]
    assert not by_name["letter-cond1"]
    assert not by_name["qemu-host-page-0"]  # random maps in the place of a migration's last round
