"""The gate as a user runs it: what got slower, what cannot be compared, and bad input."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from harness.native.variant import VARIANTS
from tests.conftest import Run

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "amd-epyc-gate"
FAST = ["--condition", "cond1", "--budget", "15"]
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
needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not here")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "old.c").write_text(SOURCE % NOTHING)
    (tmp_path / "same.c").write_text("/* a remark */" + SOURCE % NOTHING)
    (tmp_path / "slow.c").write_text(SOURCE % WORK)
    (tmp_path / "wrong.c").write_text(SOURCE % "dirty += page == 0;")
    (tmp_path / "broken.c").write_text("no C at all")


def test_the_same_code_needs_no_timing(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--against", "old.c", "same.c")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 variants have compiled to the very code of old.c" in " ".join(
        done.stdout.split()
    )
    assert done.stdout.splitlines()[-1].strip() == "No variant got slower."


def test_a_slower_file_is_named_with_the_evidence(dirtyscan: Run, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what other steps said\n")
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
    outputs = ["--junit", "g.xml", "--json", "g.json", "--bmf", "g.bmf", "--markdown", "g.md"]
    done = dirtyscan("gate", "--against", "old.c", "slow.c", *FAST, *outputs, env=environment)
    assert done.returncode == 1, done.stderr
    assert "1 variant got slower." in done.stdout
    assert "::error title=slow got slower::slow (count, cc-era) is" in done.stdout
    assert "\x1b" not in done.stdout
    cases = ElementTree.parse(tmp_path / "g.xml").getroot()
    assert cases.get("failures") == "2"
    ratios = [entry["value"] for entry in json.loads((tmp_path / "g.json").read_text())]
    assert len(ratios) == 2
    assert all(ratio < 0.9 for ratio in ratios)
    assert summary.read_text() == "what other steps said\n" + (tmp_path / "g.md").read_text()
    # The other way round it is faster.
    done = dirtyscan("gate", "--against", "slow.c", "old.c", *FAST)
    assert done.returncode == 0, done.stdout
    assert "faster" in done.stdout


@needs_valgrind
def test_instructions_are_counted_exactly(dirtyscan: Run, tmp_path: Path) -> None:
    nothing = [*FAST, "--instructions", "--json", "g.json", "--even-unchanged"]
    done = dirtyscan("gate", "--against", "old.c", "slow.c", *nothing)
    assert done.returncode == 1, done.stderr
    entries = json.loads((tmp_path / "g.json").read_text())
    counted = [entry for entry in entries if entry["name"].endswith("/instructions")]
    assert len(counted) == 4
    for entry in counted:
        before, after = (float(part.split("/")[0]) for part in entry["extra"].split(" to "))
        assert after - before == pytest.approx(16, abs=0.1)  # as many as were added, in 3 digits


def test_a_variant_that_counts_wrong_fails_the_gate(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--against", "old.c", "wrong.c", *FAST)
    assert done.returncode == 1
    assert "failed: variant wrong" in done.stdout
    assert "1 variant went astray." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "old.c", "broken.c"], "broken.c does not compile with cc-era"),
        (["--against", "wrong.c", "old.c", *FAST], "nothing can be compared with it"),
        (["--against", "old.c", "nowhere.c"], "nowhere.c cannot be read"),
        (["--against", "a", "b", "c"], "takes a revision or two files, not 3"),
        (["--against", "no-such-branch"], "revision 'no-such-branch' cannot be found"),
        (["--against", "old.c", str(VARIANTS / "merge" / "per_bit.c")], "one of merge"),
        (["--baseline", "nowhere"], "nowhere/gate.json cannot be read"),
        (["--tolerance", "200%", "--against", "HEAD"], "is no share"),
        (["--require", "cond1 multi_page > 8"], "its form is"),
        (["--require", "cond9 multi_page >= 8"], "cond9"),
        (["--require", "cond1 nobody >= 8"], "nobody"),
        (["--require", "cond1 multi_page >= 1.2.3"], "is no number"),
        (["--require", "cond1 multi_page elsewhere >= 1"], "no origin and no toolchain"),
        ([], "there is no reference for"),
    ],
)
def test_bad_input_is_one_sentence(dirtyscan: Run, arguments: list[str], said: str) -> None:
    done = dirtyscan("gate", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_without_valgrind_its_package_is_named(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("cc", "as", "ld", "git"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    done = dirtyscan("gate", "--against", "old.c", "slow.c", "--instructions", env=environment)
    assert done.returncode == 2
    assert "apt-get install valgrind" in done.stderr


@pytest.fixture
def reference(tmp_path: Path) -> Callable[..., Path]:
    """Copy the committed reference, with changes to its JSON files."""

    def make(environment: dict[str, object] | None = None, **gate: object) -> Path:
        folder = tmp_path / "results" / "any-gate"
        folder.mkdir(parents=True)
        for name in ("environment.json", "gate.json", "processes.csv"):
            shutil.copy(REFERENCE / name, folder)
        for name, changes in (("environment.json", environment or {}), ("gate.json", gate)):
            document = {**json.loads((folder / name).read_text()), **changes}
            (folder / name).write_text(json.dumps(document))
        return folder

    return make


def cpu(**changes: str) -> dict[str, object]:
    made = json.loads((REFERENCE / "environment.json").read_text())["cpu"]
    return {"cpu": {**made, **changes}}


def test_another_machine_is_said_and_never_called_slower(
    dirtyscan: Run, reference: Callable[..., Path]
) -> None:
    reference(cpu(model="Another CPU"))
    done = dirtyscan("gate")
    assert done.returncode == 3, done.stdout
    assert "measured on another CPU (Another CPU)" in " ".join(done.stdout.split())
    assert dirtyscan("gate", "--undecided", "pass").returncode == 0
    assert dirtyscan("gate", "--undecided", "fail").returncode == 1


def test_another_architecture_has_no_reference(
    dirtyscan: Run, reference: Callable[..., Path]
) -> None:
    folder = reference(cpu(architecture="riscv64"))
    assert dirtyscan("gate").returncode == 2
    done = dirtyscan("gate", "--baseline", str(folder))
    assert done.returncode == 3
    assert "measured on riscv64" in " ".join(done.stdout.split())


@needs_valgrind
def test_another_compiler_is_said_and_never_called_slower(
    dirtyscan: Run, reference: Callable[..., Path]
) -> None:
    folder = reference({"toolchains": [{"name": "cc-era", "version": "cc 4.4.5", "flags": []}]})
    for evidence in (["--baseline", str(folder)], ["--instructions"]):
        done = dirtyscan("gate", *evidence)
        assert done.returncode == 3, done.stderr
        assert "cc-era was cc 4.4.5 then and is" in " ".join(done.stdout.split())


def test_a_damaged_reference_is_one_sentence(
    dirtyscan: Run, reference: Callable[..., Path]
) -> None:
    folder = reference()
    table = pd.read_csv(folder / "processes.csv")
    where = ["gate", "--baseline", str(folder)]

    def refused(said: str) -> None:
        done = dirtyscan(*where)
        assert done.returncode == 2, done.stdout
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "--update" in done.stderr or "newer" in done.stderr or "anew" in done.stderr

    missing = (table["trace"] == "cond2-captured") & (table["variant"] == "multi_page")
    table[~missing].to_csv(folder / "processes.csv", index=False)
    refused("has no row for multi_page (cc-era) on cond2-captured")
    table.drop(columns="speedup").to_csv(folder / "processes.csv", index=False)
    refused("is damaged")
    (folder / "processes.csv").write_text("")
    refused("processes.csv")
    table.to_csv(folder / "processes.csv", index=False)
    gate = json.loads((folder / "gate.json").read_text())
    (folder / "gate.json").write_text(json.dumps({**gate, "format": 99}))
    refused("is of format 99")
    (folder / "gate.json").write_text("{")
    refused("gate.json is damaged")
    (folder / "gate.json").write_text(json.dumps(gate))
    (folder / "environment.json").write_text("{}")
    refused("environment.json is damaged")


def test_a_reference_is_made_kept_and_guarded(dirtyscan: Run, tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"

    def require(text: str) -> None:
        table = f'[tool.dirtyscan.gate]\nvariants = ["multi_page"]\nrequirements = ["{text}"]\n'
        settings.write_text(table)

    make = ["gate", "--update", "--baseline", "kept", "--condition", "cond1", "--budget", "5"]
    require("cond1 multi_page >= 900")
    done = dirtyscan(*make)
    assert done.returncode == 2
    assert "the project requires 900" in done.stderr
    assert not (tmp_path / "kept" / "gate.json").exists()
    require("cond1 multi_page >= 2")
    assert dirtyscan(*make).returncode == 0
    first = json.loads((tmp_path / "kept" / "gate.json").read_text())
    assert first["requirements"] == ["cond1 multi_page >= 2"]
    assert first["replaced"] == []
    # A requirement is not lowered in passing.
    require("cond1 multi_page >= 1.5")
    done = dirtyscan(*make)
    assert done.returncode == 2
    assert "is lowered to 1.5" in done.stderr
    assert dirtyscan(*make, "--lower-requirements").returncode == 0
    second = json.loads((tmp_path / "kept" / "gate.json").read_text())
    assert second["replaced"][0]["requirements"] == ["cond1 multi_page >= 2"]
    assert second["replaced"][0]["speedups"]["cond1-captured/multi_page/cc-era"] > 1
    # And it serves.
    done = dirtyscan("gate", "--baseline", "kept", "--tolerance", "60%", "--condition", "cond1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "requirement" in done.stdout


def test_a_requirement_that_does_not_hold_fails(dirtyscan: Run) -> None:
    done = dirtyscan("gate", "--require", "cond1 multi_page captured >= 500", *FAST)
    assert done.returncode == 1
    assert "slower than required" in " ".join(done.stdout.split())


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with dirtyscan's code in one commit, as it is in this tree."""
    folder = tmp_path / "clone"
    for name in ("harness", "workloads"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


def in_clone(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "gate", *arguments]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=200)


def test_only_what_has_changed_since_a_revision_is_timed(clone: Path) -> None:
    done = in_clone(clone, "--against", "HEAD")
    assert done.returncode == 0, done.stderr
    assert "No variant got slower." in done.stdout
    variants = clone / "harness" / "variants"
    slowed = variants / "count" / "word_sum.c"
    text = slowed.read_text()
    assert "uint64_t word" in text
    slowed.write_text(SOURCE % WORK)
    (variants / "count" / "page_by_page.c").write_text(
        "/* A remark changes nothing. */\n" + (variants / "count" / "page_by_page.c").read_text()
    )
    (variants / "count" / "mine.c").write_text(SOURCE % "")
    (variants / "next" / "page_by_page.c").unlink()
    done = in_clone(clone, "--against", "HEAD", *FAST)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not committed: count/mine.c, count/page_by_page.c, count/word_sum.c" in said
    assert "new since HEAD, so not compared: mine (count)" in said
    assert "gone since HEAD, so not compared: page_by_page (next)" in said
    assert "word_sum (count, cc-era) is" in said
    assert "1 variant got slower." in said


def test_a_revision_with_another_contract_is_undecided(clone: Path) -> None:
    contract = clone / "harness" / "variants" / "dirtyscan.h"
    contract.write_text(contract.read_text().replace("DIRTYSCAN_ABI 2", "DIRTYSCAN_ABI 3"))
    done = in_clone(clone, "--against", "HEAD")
    assert done.returncode == 3, done.stderr
    assert "written for version 2 of dirtyscan.h" in " ".join(done.stdout.split())


def test_a_revision_that_does_not_compile_is_one_sentence(clone: Path) -> None:
    source = clone / "harness" / "variants" / "count" / "word_sum.c"
    source.write_text("no C at all")
    done = in_clone(clone, "--against", "HEAD")
    assert done.returncode == 2
    assert "word_sum.c does not compile with cc-era" in done.stderr
    shutil.rmtree(clone / ".git")
    done = in_clone(clone, "--against", "HEAD")
    assert done.returncode == 2
    assert "does not run from a git clone" in done.stderr


def test_history_puts_results_in_order(dirtyscan: Run, tmp_path: Path) -> None:
    folders = [ROOT / "results" / name for name in ("amd-epyc", "intel-xeon-processor")]
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
