"""The gate as a user runs it: what got slower, and bad input."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from harness.gate import against, decision, speedups
from harness.gate.counts import count_variants
from harness.gate.lanes import Compiled, compile_pairs
from harness.gate.revision import Pair
from harness.native.built_variant import describe_here
from harness.native.finding import find_variant
from harness.native.library import Library
from harness.native.toolchain import default_toolchain
from harness.native.variant import VARIANTS
from harness.presentation.gate_formats import FORMATS, Format
from harness.presentation.gate_words import headline
from tests.conftest import Run, ask, sentences
from workloads.conditions import DEFAULT_CONDITIONS

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "tests" / "amd-epyc-gate"
# It is the number of processes that ends these, and a budget is spent only where nothing goes on.
FAST = ["--condition", "cond1", "--budget", "600", "--tolerance", "10%"]
SOURCE = """
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t page, dirty = 0;

    for (page = 0; page < map->pages; page++) {
        dirty += (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
        %s
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "a test", .run.count = count,
};
"""
# Both so long that the compiler arranges the loop around them alike.
NOTHING, WORK = (f'__asm__ volatile("{"nop; " * count}");' for count in (8, 24))
needs_valgrind = pytest.mark.skipif(
    not shutil.which("valgrind"), reason="valgrind is not here, so no instructions are counted"
)


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "old.c").write_text(SOURCE % NOTHING)
    (tmp_path / "same.c").write_text("/* a remark */" + SOURCE % NOTHING)
    (tmp_path / "slow.c").write_text(SOURCE % WORK)
    (tmp_path / "wrong.c").write_text(SOURCE % "dirty += page == 0;")
    behind = "dirty += map->bytes[map->pages] == 77;"
    (tmp_path / "reads.c").write_text(SOURCE % behind)
    (tmp_path / "broken.c").write_text("no C at all")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came of a gate."""

    status: int
    out: str
    err: str


Gate = Callable[..., Answer]


@pytest.fixture
def gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gate:
    """The gate, asked in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)

    def gate(*arguments: str) -> Answer:
        return Answer(ask(["gate", *arguments]), *capsys.readouterr())

    return gate


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few processes decide, however noisy the machine is, as what is compared differs by far.

    How often decisions are wrong, and how many processes they take, test_gate_decision.py tests.
    """
    monkeypatch.setattr(decision, "ALPHA", 0.2)
    monkeypatch.setattr(decision, "_SPARE", 1)
    monkeypatch.setattr(decision.holm, "__defaults__", (0.2,))
    monkeypatch.setattr(against, "PRECISION", 1e6)
    monkeypatch.setattr(speedups, "PRECISION", 1e6)
    monkeypatch.setattr(speedups, "MIN_PROCESSES", 5)


def words(answer: Answer) -> str:
    """Return what was printed, with every run of white space as one space."""
    return " ".join(answer.out.split())


def refused(gate: Gate, arguments: list[str], said: str) -> None:
    """Ask, and make sure that the answer is one sentence."""
    answer = gate(*arguments)
    assert answer.status == 2, answer
    assert said in answer.err
    assert len(sentences(answer.err)) == 1
    assert not answer.out


@pytest.mark.skipif(
    not shutil.which("objcopy"), reason="objcopy is not here, so two files never have the same code"
)
def test_the_same_code_needs_no_timing(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--against", "old.c", "same.c")
    assert done.returncode == 0, done.stderr
    answer = "The variant has compiled to the very code of old.c. No variant got slower."
    assert done.stdout.splitlines()[-1].strip() == answer


def test_the_same_code_is_known_by_its_bytes(tmp_path: Path) -> None:
    """What both were made from says nothing where a build has missed what a file includes."""
    paths = [tmp_path / name for name in ("a.so", "b.so", "c.so")]
    for path, content in zip(paths, (b"one", b"one", b"other"), strict=True):
        path.write_bytes(content)
    one, same, other = (Library(path, "of the same sources") for path in paths)
    variant = find_variant("multi_page", "count")
    description = describe_here(variant)

    def is_same(before: Library, after: Library) -> bool:
        pair = Pair(variant, variant)
        toolchain = default_toolchain()
        return Compiled(pair, toolchain, toolchain, before, after, description, "").same_code

    assert is_same(one, same)
    assert not is_same(one, other)


@pytest.mark.usefixtures("hasty")
def test_a_slower_file_is_named_with_the_evidence(dirtyscan: Run, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what other steps said\n")
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
    outputs = ["--junit", "g.xml", "--json", "g.json", "--bmf", "g.bmf", "--markdown", "g.md"]
    done = dirtyscan("gate", "--against", "old.c", "slow.c", *FAST, *outputs, env=environment)
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stdout.split())
    compared = "2 rows of 1 variant (count) timed against old.c."
    assert f"{compared} 1 variant got slower." in said
    assert f"::notice title=compared::{compared}" in said
    assert "::error title=slow got slower::slow (count, cc-era) is" in done.stdout
    assert "\x1b" not in done.stdout
    cases = ElementTree.parse(tmp_path / "g.xml").getroot()
    assert cases.get("failures") == "2"
    entries = json.loads((tmp_path / "g.json").read_text())
    ratios = [entry["value"] for entry in entries if entry["unit"] == "speed after / before"]
    assert len(ratios) == 2
    calls = [entry["value"] for entry in entries if entry["unit"] == "calls a second"]
    assert [after / before for before, after in zip(calls[::2], calls[1::2], strict=True)] == (
        pytest.approx(ratios, rel=1e-4)
    )
    assert all(ratio < 0.9 for ratio in ratios)
    written = (tmp_path / "g.md").read_text()
    assert compared in written
    assert summary.read_text() == "what other steps said\n" + written
    # The other way round it is faster.
    done = dirtyscan("gate", "--against", "slow.c", "old.c", *FAST)
    assert done.returncode == 0, done.stdout
    assert "faster" in done.stdout


@needs_valgrind
@pytest.mark.usefixtures("hasty")
def test_instructions_are_counted_exactly(dirtyscan: Run, tmp_path: Path) -> None:
    nothing = [*FAST, "--instructions", "--json", "g.json", "--even-unchanged"]
    done = dirtyscan("gate", "--against", "old.c", "slow.c", *nothing)
    assert done.returncode == 1, done.stderr
    entries = json.loads((tmp_path / "g.json").read_text())
    counted = [entry for entry in entries if entry["name"].endswith("/instructions")]
    assert len(counted) == 1  # on the condition that is asked for
    for entry in counted:
        before, after = (float(part.split("/")[0]) for part in entry["extra"].split(" to "))
        assert after - before == pytest.approx(16, abs=0.1)  # as many as were added, in 3 digits


def test_a_variant_that_counts_wrong_fails_the_gate(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--against", "old.c", "wrong.c", *FAST)
    assert done.returncode == 1
    assert "failed: variant wrong" in done.stdout
    assert "1 variant went astray." in done.stdout


def test_without_valgrind_its_package_is_named(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("cc", "as", "ld"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    done = dirtyscan("gate", "--against", "old.c", "slow.c", "--instructions", env=environment)
    assert done.returncode == 2
    assert "apt-get install valgrind" in done.stderr


@pytest.mark.usefixtures("hasty")
def test_a_requirement_that_does_not_hold_fails(gate: Gate) -> None:
    answer = gate("--require", "cond1 multi_page captured >= 500", *FAST)
    assert answer.status == 1, answer
    said = "1 requirement checked on 1 row. 1 variant slower than required."
    assert answer.out.splitlines()[-1].strip() == said
    assert "slower than required on cond1 captured" in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "old.c", "broken.c"], "broken.c does not compile with cc-era"),
        (["--against", "old.c", "nowhere.c"], "nowhere.c cannot be read"),
        (["--against", "a", "b", "c"], "takes a revision or two files, not 3"),
        (["--against", "HEAD~1", "slow.c"], "takes one revision, or two files, and 'HEAD~1' is no"),
        (["--against", "old.c", "slow.c", "--merge-base"], "--merge-base needs --against with a"),
        (["--against", "old.c", str(VARIANTS / "merge" / "per_bit.c")], "one of merge"),
        (["--baseline", "nowhere"], "nowhere/gate.json cannot be read"),
        (["--tolerance", "200%", "--against", "HEAD"], "is no share"),
        (["--budget", "inf", "--against", "HEAD"], "'inf' is not a number of seconds"),
        (["--seed", "-1", "--against", "HEAD"], "'-1' is not a whole number from 0"),
        (["--require", "cond1 multi_page > 8"], "its form is"),
        (["--require", "cond9 multi_page >= 8"], "cond9"),
        (["--require", "cond1 nobody >= 8"], "nobody"),
        (["--require", "cond1 multi_page >= 1.2.3"], "is no number"),
        (["--require", "cond1 multi_page >= 0"], "a speedup of 0 is none"),
        (["--require", f"cond1 multi_page >= {'9' * 5000}"], "a speedup of 999"),
        (["--require", "cond1 multi_page elsewhere >= 1"], "no origin and no toolchain"),
        # The original has no speedup over itself, and the cost of the other is paid elsewhere.
        (["--require", "cond1 page_by_page >= 1"], "page_by_page has no row on cond1"),
        (["--require", "cond1 counter >= 1"], "counter has no row on cond1"),
        (["--require", "cond2-full multi_page captured >= 1"], "no row on cond2-full captured"),
        (["--require", "all old.c >= 1", "--require", "all more/old.c >= 1"], "both called old"),
        ([], "there is no reference for"),
    ],
)
def test_bad_input_is_one_sentence(
    gate: Gate, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "more").mkdir()
    shutil.copy(tmp_path / "old.c", tmp_path / "more")
    refused(gate, arguments, said)


def test_a_variant_that_fails_before_has_nothing_to_compare(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--against", "wrong.c", "old.c", *FAST)
    assert done.returncode == 3, done.stdout
    said = " ".join(done.stdout.split())
    assert "old (count, cc-era) was wrong at wrong.c: it counts " in said
    assert "Nothing was compared." in said
    # One that is wrong still went astray, whatever it was before.
    done = dirtyscan("gate", "--against", "wrong.c", "reads.c", *FAST)
    assert done.returncode == 1, done.stdout
    assert "failed: variant reads (cc-era) reads " in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "settings.toml cannot be read"),
        ("", "settings.toml has no table [tool.dirtyscan.gate]"),
        ("[gate]\nrequirements = []", "settings.toml has no table [tool.dirtyscan.gate]"),
        ("[tool.dirtyscan.gate]", "there is no requirement in [tool.dirtyscan.gate]"),
        ("tool = 5", "Expected object, got int in tool (line 1);"),
        ("[tool]\ndirtyscan = 5", "in tool.dirtyscan (line 2);"),
        ("[tool.dirtyscan]\ngate = 5", "in tool.dirtyscan.gate (line 2);"),
        (
            "[tool.dirtyscan.gate]\nrequirements = 'x'",
            "in tool.dirtyscan.gate.requirements (line 2);",
        ),
        ("[tool.dirtyscan.gate]\nvariants = [1]", "in tool.dirtyscan.gate.variants[0] (line 2);"),
        ("[tool.dirtyscan.gate]\ntolerance = 1", "unknown field tolerance"),
        (f"x = {'9' * 5000}", "settings.toml cannot be read: it has a number with too many"),
        (f"x = {'[' * 100_000}", "settings.toml cannot be read: it is nested too deeply"),
        ("[tool.dirtyscan.gate]\nrequirements = ['cond1 a.c >= 2']", "a.c cannot be read"),
    ],
)
def test_settings_that_are_named_must_say_something(
    gate: Gate, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "settings.toml").write_text(content)
    refused(gate, ["--requirements", "--settings", "settings.toml"], said)


def test_without_settings_there_is_no_requirement_to_check(gate: Gate) -> None:
    refused(gate, ["--requirements"], "no requirement in [gate] of dirtyscan.toml")


@pytest.mark.usefixtures("hasty")
def test_a_requirement_and_its_row_have_one_name(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    shutil.copy(tmp_path / "old.c", tmp_path / "src" / "mine.c")
    done = gate("--require", "cond1 src/mine.c >= 20", *FAST, "--json", "g.json")
    assert done.status == 1, done
    entries = json.loads((tmp_path / "g.json").read_text())
    names = [entry["name"] for entry in entries if entry["unit"] == "speed after / before"]
    assert [name.split("/")[1] for name in names] == ["mine"] * 3
    # And what it was timed beside by itself, in which a drift of both is seen.
    calls = {entry["name"]: entry["value"] for entry in entries if entry["name"] not in names}
    assert set(calls) == {f"{name}/{side}" for name in names for side in ("beside", "variant")}
    assert all(1e2 < value < 1e8 for value in calls.values())


def test_too_short_a_budget_decides_nothing(gate: Gate) -> None:
    short = ["--condition", "cond1", "--budget", "0.01"]
    for evidence in (["--against", "old.c", "slow.c"], ["--require", "cond1 multi_page >= 1"]):
        done = gate(*evidence, *short)
        assert done.status == 3, done
        assert "undecided: " in done.out
        assert "is shorter than one round" in words(done)
        assert "Nothing was compared." in done.out


def test_a_format_is_one_entry(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "csv", Format("the headline", headline))
    assert "--csv FILE also write the headline" in " ".join(gate("--help").out.split())
    assert gate("--against", "old.c", "old.c", "--csv", "answer.csv").status == 0
    assert (tmp_path / "answer.csv").read_text() == "No variant got slower."


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nowhere/at/all")
    done = gate("--against", "old.c", "same.c")
    assert done.status == 0, done
    assert "/nowhere/at/all" in done.err


@needs_valgrind
def test_what_is_counted_on_a_trace_does_not_depend_on_the_others() -> None:
    traces = [f"cond{number} captured" for number in (1, 2, 3, 4)]
    variant = find_variant("per_bit", "merge")
    toolchain = [default_toolchain()]
    compiled, _ = compile_pairs([Pair(variant, variant)], toolchain)
    alone, _, _ = count_variants(compiled, ["cond4"], lambda *_: None)
    whole, _, _ = count_variants(compiled, DEFAULT_CONDITIONS, lambda *_: None)
    assert [key.trace for key in whole] == traces
    assert alone == {key: count for key, count in whole.items() if key.trace == "cond4 captured"}


def test_history_puts_results_in_order(dirtyscan: Run, tmp_path: Path) -> None:
    folders = [ROOT / "results" / name for name in ("amd-epyc-26-2", "intel-xeon-processor")]
    done = dirtyscan("history", *map(str, folders), str(REFERENCE), "--variant", "multi_page")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "plots" / "history.csv", parse_dates=["date"])
    assert rows["date"].is_monotonic_increasing
    assert set(rows["variant"]) == {"multi_page"}
    for folder in (*folders, REFERENCE):
        stored = pd.read_csv(folder / "speedups.csv")
        stored = stored[stored["variant"] == "multi_page"]
        told = rows[rows["results"] == folder.name]
        assert sorted(told["speedup"]) == pytest.approx(sorted(stored["speedup"]))
    assert (tmp_path / "plots" / "history.png").stat().st_size > 10_000
    assert dirtyscan("history", "nowhere").returncode == 2
    assert dirtyscan("history", str(REFERENCE), "--variant", "nobody").returncode == 2
