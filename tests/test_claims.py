"""Claims and verdicts."""

import dataclasses
import io
import json
import math
import platform
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claims.claim import Claim, find_claim, find_claims, read_claims
from harness.claims.settled import not_measured, to_table
from harness.claims.settlement import group_claims, obstacle, request_group, settle
from harness.claims.verdict import Figures, judge, remark, shares, verdict
from harness.cli import main
from harness.kernel.claimed import CLAIMED
from harness.measurement.choice import choose
from harness.native.build import build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.finding import find_variant
from harness.native.toolchain import default_toolchain
from harness.native.variant import built_in_variants
from harness.presentation.claims_table import figures
from harness.presentation.table import format_number, format_range
from harness.report.answer import answer
from harness.studies.claims import STUDY
from harness.trial.failure import Failure
from tests.conftest import Run, store
from tests.test_guest import METHOD_NAMES
from workloads.conditions import CONDITIONS

FASTER = Claim("f", "", "", "count", "o", "v", 8.0, 16.0, "", conditions=("c",))
OVER_CALLS = dataclasses.replace(FASTER, over_calls=True)
SLOWER = dataclasses.replace(FASTER, low=0.25, high=1 / 3)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (9, 10, "reproduced"),
        (7.9, 8.1, "reproduced"),
        (16, 17, "reproduced"),
        (16.1, 17, "stronger"),
        (7, 7.9, "weaker"),
        (0.9, 1.1, "weaker"),
        (1, 1.2, "weaker"),
        (0.8, 0.99, "contradicted"),
        (8, 16, "reproduced"),
        (7, 10.9, "reproduced"),
        (7, 11, "undecided"),
        (15, 24, "undecided"),
        (7.9, 16.1, "undecided"),
        (0.5, 100, "undecided"),
        (0, math.inf, "undecided"),
        (0, 7.9, "weaker"),
        (16.1, math.inf, "stronger"),
    ],
)
def test_verdicts_on_a_speedup(low: float, high: float, expected: str) -> None:
    assert verdict(low, high, FASTER) == expected


def test_an_interval_that_tells_nothing_reproduces_nothing() -> None:
    """0.40 within a factor of 9 was said to reproduce a claim of 1."""
    same = dataclasses.replace(FASTER, low=0.8, high=1.25)
    above = dataclasses.replace(FASTER, low=1.0, high=math.inf)
    just = dataclasses.replace(FASTER, low=2.0, high=2.0)
    assert verdict(0.4 / 9.11, 0.4 * 9.11, same) == "undecided"
    assert verdict(0.4 / 9.11, 0.4 * 9.11, above) == "undecided"
    assert verdict(1.5, 400, above) == "reproduced"
    assert verdict(1.96, 2.04, just) == "reproduced"
    assert verdict(1.9, 2.1, just) == "undecided"


def test_which_side_of_1_it_is_has_to_be_known() -> None:
    """0.95 to 1.005 was said to reproduce "above 1"."""
    above = dataclasses.replace(FASTER, low=1.0, high=math.inf)
    below = dataclasses.replace(FASTER, low=0.9, high=1.0)
    some = dataclasses.replace(FASTER, low=1.01, high=1.2)
    alike, just = (dataclasses.replace(FASTER, low=low, high=1.0 / low) for low in (1 / 1.05, 1.0))
    for claim in (above, below, some):
        assert verdict(0.99, 1.02, claim) == "undecided"
    assert verdict(0.953, 1.005, above) == "undecided"
    assert verdict(1.0, 1.01, above) == verdict(0.98, 1.0, below) == "reproduced"
    assert verdict(0.99, 1.02, alike) == verdict(0.99, 1.02, just) == "reproduced"


def figures_of(*calls: float, width: float = 1.0) -> Figures:
    mean = float(np.mean(calls))
    return Figures(mean, mean / width, mean * width, np.array(calls))


@pytest.mark.parametrize(
    ("calls", "expected", "said"),
    [
        ([8.5] * 10 + [7.0] * 10, "reproduced", "narrower than the letter"),
        ([8.5] * 9 + [7.0] * 11, "in part", "narrower than the letter"),
        ([8.5] * 1 + [7.0] * 19, "in part", "narrower than the letter"),
        ([8.5] * 1 + [7.0] * 20, "weaker", ""),
        ([8.5] * 1 + [17.0] * 20, "stronger", ""),
        ([8.5] * 1 + [0.5] * 20, "contradicted", ""),
        ([*np.geomspace(8, 16, 20)], "reproduced", ""),
        ([*np.geomspace(4, 11, 20)], "in part", "narrower than the letter"),
        ([*np.geomspace(1, 40, 30)], "in part", ""),
        # The median call lies inside, but hardly another: most of the rest decides.
        ([7.0] * 51 + [10.0] * 3 + [17.0] * 50, "weaker", ""),
    ],
)
def test_a_range_over_calls_is_judged_by_the_shares_of_calls(
    calls: list[float], expected: str, said: str
) -> None:
    found = figures_of(*calls)
    assert (judge(found, OVER_CALLS), remark(found, OVER_CALLS)) == (expected, said)
    # Seen from the other side of 1 it is the same.
    mirrored = dataclasses.replace(OVER_CALLS, low=1 / 16, high=1 / 8)
    turned = Figures(1 / found.speedup, 1 / found.high, 1 / found.low, 1 / found.calls)
    assert judge(turned, mirrored) == expected


def test_a_wide_interval_decides_no_shares_that_hang_on_it() -> None:
    calls = [8.1] * 11 + [7.9] * 9
    assert judge(figures_of(*calls, width=1.02), OVER_CALLS) == "reproduced"
    assert judge(figures_of(*calls, width=1.06), OVER_CALLS) == "undecided"
    assert judge(figures_of(*[9.0] * 20, width=1.06), OVER_CALLS) == "reproduced"
    # A single process has an interval without ends.
    assert judge(Figures(9.0, 0.0, math.inf, np.array([9.0, 9.0])), OVER_CALLS) == "undecided"


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_shares_are_those_of_counting(calls: list[float]) -> None:
    found = shares(np.array(calls), OVER_CALLS)
    counted = [sum(call < 8 for call in calls), sum(8 <= call <= 16 for call in calls)]
    assert found.below * len(calls) == pytest.approx(counted[0])
    assert found.within * len(calls) == pytest.approx(counted[1])
    assert found.below + found.within + found.above == pytest.approx(1)


def test_the_letters_ranges_are_over_calls_and_no_other_claim_is() -> None:
    over = [claim.name for claim in read_claims() if claim.over_calls]
    assert over == ["letter-cond1", "letter-cond2", "letter-cond3", "letter-cond4"]


RATIOS = st.sampled_from((1.0, 1.01, 1.05, 1.1, 1.25, 1.5625, 2.0, 8.0, 1e3, math.inf))


@given(
    low=st.floats(0.01, 100), width=RATIOS, claimed=st.floats(0.01, 100), breadth=RATIOS,
    share=st.floats(0, 1),
)  # fmt: skip
def test_a_verdict_is_that_of_every_point_of_the_interval(
    low: float, width: float, claimed: float, breadth: float, share: float
) -> None:
    """Each point by itself is in the range, beyond it, short of it, or across 1.

    A range on one side of 1 is a claim that something is faster, or slower, which points on both
    sides do not decide.
    """
    claim = dataclasses.replace(FASTER, low=claimed, high=claimed * breadth)

    def place(point: float) -> str:
        if claim.low <= point <= claim.high:
            return "in"
        faster = claim.high > 1
        seen, end = (point, claim.high) if faster else (1 / point, 1 / claim.low)
        return "beyond" if seen > end else "across" if seen < 1 else "short"

    high = low * width
    between = low * min(width, 1e6) ** share
    points = [low, high, *(p for p in (claim.low, claim.high, 1, between) if low <= p <= high)]
    places = {place(point) for point in points}
    if places == {"in"}:
        expected = {"reproduced"}
    elif "in" in places:
        widest = min(max(breadth, 1.05), 1.5625)
        expected = {"reproduced"} if width < widest else {"undecided"}
        if math.isclose(width, widest):  # then rounding may say either
            expected = {"reproduced", "undecided"}
        sides = {np.sign(point - 1) for point in (claim.low, claim.high)} - {0}
        if len(sides) == 1 and low < 1 < high:
            expected = {"undecided"}
    else:
        word = {"beyond": "stronger", "across": "contradicted"}
        expected = {word[places.pop()] if len(places) == 1 and "short" not in places else "weaker"}
    assert verdict(low, high, claim) in expected


@given(st.floats(0.01, 100), st.floats(1, 3))
def test_a_slowdown_is_judged_as_its_reciprocal(low: float, width: float) -> None:
    mirrored = dataclasses.replace(FASTER, low=1 / FASTER.high, high=1 / FASTER.low)
    high = low * width
    assert verdict(1 / high, 1 / low, mirrored) == verdict(low, high, FASTER)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["weaker", "undecided"], "Undecided: of the letter's two figures none holds as a whole; "
         "Cond1 is weaker; Cond2 is undecided."),
        (["reproduced", "undecided"], "In part: of the letter's two figures one holds (Cond1); "
         "Cond2 is undecided."),
        (["weaker", "weaker"], "No: of the letter's two figures none holds as a whole; "
         "Cond1 and Cond2 are weaker."),
    ],
)  # fmt: skip
def test_an_answer_does_not_decide_what_is_undecided(verdicts: list[str], said: str) -> None:
    found = answer(letters_rows(verdicts), "")
    assert found is not None
    assert found.sentence.startswith(said)


def letters_rows(verdicts: list[str], origin: str = "synthetic") -> pd.DataFrame:
    rows = pd.DataFrame({"condition": ["cond1", "cond2"], "verdict": verdicts, "origin": origin})
    return rows.assign(
        variant="multi_page",
        original="page_by_page",
        toolchain="cc",
        claim_low=1.0,
        speedup=2.0,
        slowed=0.0,
    )


def test_recorded_traces_answer_and_the_others_are_named_where_they_differ() -> None:
    recorded = letters_rows(["reproduced", "in part"], "recorded")
    captured = letters_rows(["weaker", "in part"], "captured")
    found = answer(pd.concat([captured, recorded]), "again at once")
    assert found is not None
    assert found.word == "In part"
    assert found.sentence == (
        "In part: of the letter's two figures one holds (Cond1) on recorded traces, "
        "each call again at once; Cond2 does in part. The patch is 2.00 times faster where it "
        "gains. Otherwise: Cond1 weaker on the captured trace."
    )


def test_the_letters_claims_are_the_letters() -> None:
    ranges = {
        condition: (claim.low, claim.high)
        for claim in read_claims()
        for condition in claim.conditions
        if claim.name.startswith("letter-")
    }
    assert ranges["cond1"] == ranges["cond3"] == (8, 16)
    assert ranges["cond2"] == ranges["cond2-full"] == pytest.approx((0.25, 1 / 3))
    assert ranges["cond4"] == (2, 16)


def test_claims_name_what_exists() -> None:
    for claim in read_claims():
        of_kernel = claim.operation in CLAIMED
        known = METHOD_NAMES if of_kernel else built_in_variants(claim.operation)
        assert claim.original in known
        assert claim.variant in known
        assert set(claim.conditions) <= set(CONDITIONS)
        assert 0 < claim.low <= claim.high


ENTRY = """
[[claim]]
name = "mine"
source = "me"
date = "2026"
operation = "drain"
original = "fetch_and_all"
variant = "skip_clean"
density = 0.1
guest_memory = "64MiB"
figure = 2.0
note = ""
"""
ABOUT_CONDITIONS = ENTRY.replace('density = 0.1\nguest_memory = "64MiB"', 'conditions = ["cond1"]')
BAD = {
    "no TOML": (
        "[[claim]]\nname = \n",
        "claims mine.toml cannot be read: it is no TOML: Invalid value (at line 2",
    ),
    "no tables": ('claim = "x"', "claims mine.toml have no [[claim]] tables"),
    "a field too few": (
        ENTRY.replace('note = ""', ""),
        "mine.toml cannot be used: Object missing required field note;",
    ),
    "a field too many": (
        ENTRY + "colour = 1",
        "mine.toml cannot be used: Object contains unknown field colour;",
    ),
    "operation": (ENTRY.replace('"drain"', '"sort"'), "operation 'sort' is not known"),
    "variant": (ENTRY.replace("skip_clean", "skip_all"), "variant 'skip_all' of operation drain"),
    "other operation": (ENTRY.replace("skip_clean", "per_word"), "variant 'per_word' of operation"),
    "two workloads": (ENTRY + 'conditions = ["cond1"]', "is about conditions and density"),
    "no workload": (ENTRY.replace("density = 0.1", ""), "is about nothing; give one workload"),
    "condition": (ABOUT_CONDITIONS.replace("cond1", "cond9"), "'cond9' is not known"),
    "density": (ENTRY.replace("= 0.1", "= 1.5"), "Expected float <= 1.0 in density"),
    "no number": (ENTRY.replace("= 0.1", "= nan"), "Expected float >= 0.0 in density"),
    "map": (ENTRY.replace("= 0.1", "= 0.9\nmean_run = 2.0"), "give a mean run of at least 9"),
    "figure": (ENTRY.replace("= 2.0", '= "twice"'), "Expected float, got str in figure"),
    "no figure": (ENTRY.replace("figure = 2.0", ""), "needs either a figure, or a range from low"),
    "both": (ENTRY + "low = 1.0", "needs either a figure, or a range from low"),
    "range": (ENTRY.replace("figure = 2.0", "low = 2\nhigh = 1"), "its high is below its low"),
    "only high": (ENTRY + "high = 3.0", "its high is below its low, or without one"),
    "size": (ENTRY.replace('"64MiB"', '"big"'), "'big' is not a size"),
    "toolchain": (ENTRY + 'toolchain = "icc-fast"', "toolchain 'icc-fast' is not known"),
    "beside": (
        ENTRY + 'beside = "cc-distro"',
        "its beside goes with a toolchain, which it has not",
    ),
    "no size": (ENTRY.replace('guest_memory = "64MiB"', ""), "its density needs a guest_memory"),
    "small": (ENTRY.replace('"64MiB"', '"8KiB"'), "guest memory of 8KiB is 2 pages"),
    "scale": (ENTRY + 'scaled_to = "1GiB"', "is scaled to more than its guest_memory"),
    "runs": (ENTRY + "run = 2\nmean_run = 2", "it has both mean_run and run; give one"),
    "run": (ENTRY.replace("density = 0.1", 'run = 2\ntrace = "t"'), "its run goes with a density"),
    "no conditions": (ABOUT_CONDITIONS.replace('"cond1"', ""), "of length >= 1 in conditions"),
    "no claims": ("claim = []", "claims mine.toml have no [[claim]] tables; see"),
    "nothing": ("", "claims mine.toml have no [[claim]] tables; see"),
    "other tables": (ENTRY.replace("[[claim]]", "[[claims]]"), "no [[claim]] tables but 'claims'"),
    "twice": (ENTRY + ENTRY, "claims mine.toml have 2 claims called 'mine'"),
    "itself": (ENTRY.replace("skip_clean", "fetch_and_all"), "compares fetch_and_all with itself"),
    "no name": (ENTRY.replace('"mine"', '""'), "Expected str of length >= 1 in name"),
    "long name": (ENTRY.replace('"mine"', f'"{"x" * 9999}"'), "Expected str of length <= 200"),
    "number for a name": (ENTRY.replace('"mine"', f"0x{'f' * 5000}"), "Expected str, got int in"),
    "control": (ENTRY.replace('"mine"', r'"\u001b[2J"'), "its name has a control character"),
    "NUL": (ENTRY.replace("density = 0.1", r'trace = "a\u0000b"'), "its trace has a control char"),
    "long path": (ENTRY.replace('"skip_clean"', f'"{"x" * 4000}.c"'), "a variant cannot be called"),
    "digits": (
        ENTRY.replace("2.0", "2" * 5000),
        "mine.toml cannot be read: it has a number with too many digits",
    ),
    "deep": ("x = " + "[" * 100_000, "mine.toml cannot be read: it is nested too deeply"),
}


@pytest.mark.parametrize("what", BAD)
def test_claims_that_cannot_be_read(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, sentence = BAD[what]
    (tmp_path / "mine.toml").write_text(text)
    for action in ("list", "run"):
        assert main(["claims", action, "--claims", str(tmp_path / "mine.toml")]) == 2
        said = capsys.readouterr()
        assert sentence in said.err
        assert len(said.err.splitlines()) == 1
        assert not said.out


def test_names_are_not_markup_and_texts_may_have_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = ENTRY.replace('"mine"', '"[/b]"').replace('note = ""', 'note = """a\n [bold]b"""')
    (tmp_path / "mine.toml").write_text(entry.replace('"2026"', "2026-11-25"))
    assert main(["claims", "list", "--claims", str(tmp_path / "mine.toml")]) == 0
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith("[/b]  2026-11-25 ")
    assert line.rstrip().endswith("a [bold]b")


def test_a_claim_that_is_not_known(dirtyscan: Run) -> None:
    done = dirtyscan("claims", "run", "letter-cond9")
    assert done.returncode == 2
    assert "claim 'letter-cond9' is not known; choose from letter-cond1" in done.stderr


def test_a_claim_is_found_once_however_often_it_is_named() -> None:
    found = find_claims(["letter-cond2", "letter-cond1", "letter-cond2"])
    assert [claim.name for claim in found] == ["letter-cond2", "letter-cond1"]


def test_claims_are_listed(dirtyscan: Run) -> None:
    done = dirtyscan("claims")
    assert done.returncode == 0
    assert {claim.name for claim in read_claims()} <= set(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("short_runs")
def test_a_claim_of_ones_own_is_settled_without_code(dirtyscan: Run, tmp_path: Path) -> None:
    entry = ENTRY.replace('"fetch_and_all"', '"skip_lines_vector"')
    entry = entry.replace('"skip_clean"', '"mine.c"').replace("figure = 2.0", "low = 0.001")
    source = built_in_variants("drain")["skip_lines_vector"].sources[0]
    (tmp_path / "mine.c").write_text(source.read_text(encoding="utf-8"))
    (tmp_path / "mine.toml").write_text(entry)
    options = ["--claims", "mine.toml", "--precision", "50%", "--budget", "600"]
    done = dirtyscan("claims", "run", "mine", *options)
    if "which this CPU lacks" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "results/claims/claims.csv").to_dict("records")
    assert row["verdict"] == "reproduced"
    assert row["guest_memory_bytes"] == 64 * 2**20
    assert row["captured_low"] <= row["captured_high"]
    assert (tmp_path / "plots/claims.png").stat().st_size > 5000
    environment = json.loads((tmp_path / "results/claims/environment.json").read_text())
    assert environment["toolchains"]


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
    monkeypatch.setattr("harness.native.toolchain._of_rust", lambda _: None)
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
    monkeypatch.setattr("harness.native.toolchain._of_rust", lambda _: None)
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


def test_a_pair_without_a_claim_has_none() -> None:
    assert find_claim("count", "page_by_page", "multi_page", "cond1")
    assert find_claim("count", "page_by_page", "page_by_page", "cond1") is None
    assert find_claim("count", "page_by_page", "multi_page", None) is None


def test_names_may_follow_options(dirtyscan: Run) -> None:
    said = dirtyscan("claims", "run", "--budget", "5", "no-such-claim")
    assert (said.returncode, said.stdout) == (2, "")
    assert "no-such-claim" in said.stderr


STORED = Path(__file__).parent.parent / "results" / "amd-epyc-26-2-claims"


def test_a_terminal_keeps_figures_whole(dirtyscan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = dirtyscan("report", str(STORED))
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(STORED / "claims.csv")
    lines = done.stdout.splitlines()
    assert max(map(len, lines[: len(rows)])) <= 80
    for row in rows.to_dict("records"):
        written = f"{re.escape(format_number(row['speedup']))} "
        if math.isnan(row["speedup"]):
            written = ".*not measured"
        if row["claimed_high"] < math.inf:
            claimed = format_range(row["claimed_low"], row["claimed_high"])
            written = rf"{re.escape(claimed)} +{written}"
        found = [line for line in lines if re.search(rf"^{row['claim']} .* {written}", line)]
        assert found, row["claim"]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.85, 0.95, "0.85-0.95"), (99.6, 119.5, "100-120")]
)
def test_a_range_is_written_without_an_exponent(low: float, high: float, expected: str) -> None:
    assert format_range(low, high) == expected


@pytest.mark.parametrize("result", [path.name for path in STORED.parent.glob("*-claims")])
def test_stored_claims_are_judged_as_they_would_be_now(result: str) -> None:
    over = {claim.name for claim in read_claims() if claim.over_calls}
    table = STORED.parent / result / "claims.csv"
    rows = [row for row in pd.read_csv(table).to_dict("records") if row["claim"] not in over]
    kinds = (("speedup", "verdict"), ("beside", "beside_verdict"), ("quiet", "quiet_verdict"))
    judged = 0
    for row in rows:
        claim = dataclasses.replace(FASTER, low=row["claimed_low"], high=row["claimed_high"])
        for of, word in kinds:
            low, high = (row.get(f"{of}_{end}", math.nan) for end in ("low", "high"))
            if not math.isnan(low):
                assert row[word] == verdict(low, high, claim), (row["claim"], row["workload"], of)
                judged += 1
    assert judged > len(rows)


def test_a_stored_table_of_claims_is_written_as_the_documentation_has_it(dirtyscan: Run) -> None:
    done = dirtyscan("report", str(STORED), "--format", "markdown")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(STORED / "claims.csv")
    head, _, *lines = done.stdout.splitlines()
    assert head.startswith("| claim | about | claimed | measured | by placement | verdict |")
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows.to_dict("records"), strict=True):
        assert line.startswith(f"| {row['claim']} | {row['workload']} |")
        measured = not math.isnan(row["speedup"])
        assert (format_number(row["speedup"]) if measured else "not measured") in line
        assert row["verdict"] in line
    as_csv = dirtyscan("report", str(STORED), "--format", "csv").stdout
    assert pd.read_csv(io.StringIO(as_csv)).equals(rows)
