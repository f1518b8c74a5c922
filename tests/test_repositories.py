"""The gate in repositories of one's own: the examples of the documentation."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from ruamel.yaml import YAML

from harness.gate import against, decision
from harness.measurement.experiment import measure
from harness.native import compiler, making
from harness.native.manifest_tables import MANIFEST
from tests.conftest import LONGEST, Run, sentences
from tests.needs import needs
from tests.test_gate import ROOT
from tests.test_gate_revision import commit, git
from tests.test_manifest import EXAMPLES, cargo
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, write_random_runs

pytestmark = needs("git")


@pytest.fixture(autouse=True)
def decides_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide after few processes, as how sure the gate is was tested elsewhere."""
    monkeypatch.setattr(decision, "ALPHA", 0.2)
    monkeypatch.setattr(decision, "_SPARE", 1)


def copied(name: str, folder: Path) -> str:
    """Copy an example to ``folder`` as a repository of its own, and return its commit."""
    ignored = shutil.ignore_patterns("target", "build")
    shutil.copytree(EXAMPLES / name, folder, ignore=ignored, dirs_exist_ok=True)
    git(folder, "init", "-q")
    return commit(folder)


def keep_first(manifest: Path) -> str:
    """Leave only the first variant of the example in ``manifest``; return its text."""
    text = manifest.read_text()
    manifest.write_text(text[: text.index("# The same")])
    return manifest.read_text()


def ask(dirtyscan: Run, *arguments: str) -> tuple[int, str, str]:
    making._run.cache_clear()  # as in a process of its own
    done = dirtyscan("gate", "--condition", "cond1", *arguments)
    return done.returncode, " ".join(done.stdout.split()), done.stderr


@needs("make")
def test_variants_in_c_are_compared_with_those_of_a_revision(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def measured(*arguments: Any, **named: Any) -> Any:
        runs.append(measure(*arguments, **named))
        return runs[-1]

    monkeypatch.setattr(against, "measure", measured)
    first = copied("c", tmp_path)
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 0, errors
    assert f"All 3 variants have compiled to the very code of HEAD ({first})" in said
    keep_first(tmp_path / MANIFEST)
    commit(tmp_path)
    source = tmp_path / "src/bitmap.c"
    text = source.read_text()
    source.write_text(
        text.replace(
            "    for (word = 0; word < bits / 64; word++) {\n",
            "    for (word = 0; word < bits / 64; word++) {\n"
            '        __asm__ volatile("" : : "r"(__builtin_popcountll(~map[word])));\n',
        )
    )
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 1, said + errors
    assert "count_one cond1" in said
    # That is certain long before the interval is as narrow as a fall of 1 % would ask for.
    (run,) = runs
    rows = len(run.plan.pairs()) * len(run.plan.traces)
    assert set(run.processes.values()) <= set(against.looks_for(rows))
    assert "changes that are not committed: src/bitmap.c" in said
    assert git(tmp_path, "worktree", "list").count("\n") == 0
    assert not git(tmp_path, "status", "--porcelain").replace("M src/bitmap.c", "").strip()


def test_a_package_is_compared_with_that_of_a_revision(dirtyscan: Run, tmp_path: Path) -> None:
    cargo()
    first = copied("rust", tmp_path)
    source = tmp_path / "src/lib.rs"
    text = source.read_text()
    source.write_text("// Only a comment.\n" + text)
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 0, errors
    assert f"The variant has compiled to the very code of HEAD ({first})" in said
    source.write_text(
        text.replace(
            "let mut rest = word;",
            "let mut rest = std::hint::black_box(word);\n"
            "        for _ in 0..40 { std::hint::black_box(rest.count_ones()); }",
        )
    )
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 1, said + errors
    assert "ranges cond1" in said


def test_both_sides_of_a_package_are_built_at_once(
    dirtyscan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later Cargo has nothing to do; it is only asked whether a file has changed meanwhile."""
    cargo()
    copied("rust", tmp_path)
    source = tmp_path / "src/lib.rs"
    source.write_text("// Only a comment.\n" + source.read_text())
    running, most, later = 0, 0, list[str]()
    start, run = compiler.started, compiler.run_within

    @contextlib.contextmanager
    def started(*given: Any, **named: Any) -> Iterator[Any]:
        nonlocal running, most
        with start(*given, **named) as process:
            running += 1
            most = max(most, running)
            yield process
            running -= 1

    def run_within(*given: Any, **named: Any) -> Any:
        done = run(*given, **named)
        later.append(done[1])
        return done

    monkeypatch.setattr("harness.native.cargo.started", started)
    monkeypatch.setattr("harness.native.cargo.run_within", run_within)
    assert ask(dirtyscan, "--against", "HEAD")[0] == 0
    assert (running, most) == (0, 2)
    assert len(later) >= 2
    made = [json.loads(line) for out in later for line in out.splitlines() if line.startswith("{")]
    artifacts = [one for one in made if one["reason"] == "compiler-artifact"]
    assert artifacts
    assert all(one["fresh"] for one in artifacts)


def test_variants_of_one_side_and_those_that_do_not_build_are_named(
    dirtyscan: Run, tmp_path: Path
) -> None:
    copied("c", tmp_path)
    manifest = tmp_path / MANIFEST
    text = manifest.read_text()
    only = text[: text.index("# As the project")]
    manifest.write_text(only.replace("count_one_popcnt", "count_one_fast"))
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 0, errors
    assert "count_one_popcnt is gone" in said
    assert "count_one_fast is new" in said
    # It did not build then: named, and the others go on.
    manifest.write_text(
        only.replace(
            "[variant.count_one]", "[variant.broken]\nsources = ['no.c']\n[variant.count_one]"
        )
    )
    (tmp_path / "no.c").write_text("no C\n")
    commit(tmp_path)
    shutil.copy(tmp_path / "bench/count_one.c", tmp_path / "no.c")
    (tmp_path / "no.c").write_text(
        (tmp_path / "bench/count_one.c")
        .read_text()
        .replace("bitmap_count_one(map->words, map->pages)", "map->pages")
        .replace('#include "bitmap.h"\n', "")
    )
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 3, said + errors
    assert "broken: " in said
    assert "All 2 variants have compiled to the very code of HEAD" in said
    # Nothing at all was there then.
    git(tmp_path, "rm", "-q", "--cached", MANIFEST)
    git(tmp_path, "commit", "-q", "-m", "None")
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 3
    assert "has no dirtyscan.toml that names variants" in said


def test_files_need_no_manifest(dirtyscan: Run, tmp_path: Path) -> None:
    assert dirtyscan("init", "--language", "c").returncode == 0
    (tmp_path / MANIFEST).unlink()
    git(tmp_path, "init", "-q")
    first = commit(tmp_path)
    status, said, errors = ask(dirtyscan, "--against", "HEAD")
    assert status == 2
    assert "there is nothing here to compare with HEAD" in errors
    mine = tmp_path / "dirtyscan/mine.c"
    mine.write_text(mine.read_text() + "/* the same code */\n")
    there = ("--against", "HEAD", "--", "dirtyscan/mine.c")
    status, said, errors = ask(dirtyscan, *there)
    assert status == 0, errors
    assert f"The variant has compiled to the very code of HEAD ({first})" in said
    shutil.copy(mine, tmp_path / "new.c")
    status, said, errors = ask(dirtyscan, *there, "new.c")
    assert status == 0, errors
    assert "new.c is new" in said
    status, said, errors = ask(dirtyscan, *there, "/etc/none.c")
    assert status == 2
    assert len(sentences(errors)) == 1


CLAIM = """
[[claim]]
name = "as-we-say"
source = "us"
date = "2026"
operation = "count"
original = "page_by_page"
variant = "multi_page"
conditions = ["cond1"]
low = 2
high = 90
note = ""
"""


def with_a_trace(folder: Path, manifest: str) -> None:
    """Make a repository of one variant that has a trace, and whatever ``manifest`` says besides."""
    copied("c", folder)
    guest = GuestMemory(64 * 2**20)
    write_random_runs(folder / "ours.trace", guest, RandomRuns(0.1, 16), 20, 7)
    text = keep_first(folder / MANIFEST)
    (folder / MANIFEST).write_text(manifest.format(text))


@needs("make")
@pytest.mark.usefixtures("short_runs")
def test_traces_and_claims_of_the_repository_take_part(dirtyscan: Run, tmp_path: Path) -> None:
    with_a_trace(tmp_path, 'traces = ["ours.trace"]\nclaims = ["claims.toml"]\n{}')
    (tmp_path / "claims.toml").write_text(CLAIM)
    made = ("bench", "count_one", "--quick")
    done = dirtyscan(*made, "--output", "made")
    assert done.returncode == 0, done.stderr
    there = pd.read_csv(tmp_path / "made/speedups.csv")
    assert {"cond1", "cond4", OURS} <= set(there["condition"])
    # What is asked for in so many words is all that is measured.
    done = dirtyscan(*made, "--output", "one", "--condition", "cond1")
    assert set(pd.read_csv(tmp_path / "one/speedups.csv")["condition"]) == {"cond1"}
    listed = dirtyscan("claims").stdout
    assert "as-we-say" in listed
    assert "letter-cond1" not in listed
    assert "letter-cond1" in dirtyscan("claims", "list", "letter-cond1").stdout


@needs("make")
def test_tolerances_of_the_repository_are_those_of_their_rows(
    dirtyscan: Run, tmp_path: Path
) -> None:
    """Half as much again is let pass on the conditions, where it is said, and not on the trace."""
    with_a_trace(tmp_path, f'traces = ["ours.trace"]\n{{}}\n[gate]\n{GATE}')
    commit(tmp_path)
    source = tmp_path / "src/bitmap.c"
    counts = "        count += (size_t)__builtin_popcountll(map[word]);\n"
    again = '        __asm__ volatile("" : : "r"(__builtin_popcountll(~map[word])));\n'
    source.write_text(source.read_text().replace(counts, counts + again))
    making._run.cache_clear()
    done = dirtyscan("gate", "--against", "HEAD")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, said + done.stderr
    assert "slower on 1 of 9 traces" in said


OURS = RandomRuns(0.1, 16).name
GATE = 'tolerances = ["all count_one = 90%"]\n'


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('traces = ["none.trace"]', "none.trace; check its path"),
        ('claims = ["none.toml"]', "none.toml; check its path"),
        ('[gate]\ntolerances = ["all count_one"]', "its form is 'CONDITION VARIANT"),
        ('[gate]\ntolerances = ["all count_one = 0"]', "is no share above 0"),
        ('[gate]\ntolerances = ["all none = 3%"]', "is not known in any operation"),
        ('[gate]\ntolerances = ["cond9 count_one = 3%"]', "condition 'cond9' is not known"),
        ('[gate]\ntolerances = ["cond1 count_one x = 3%"]', "is no origin and no toolchain"),
        ('[gate]\nrequirements = ["cond1 count_one"]', "its form is 'CONDITION VARIANT"),
        ('[gate]\nrequirements = ["cond1 per_word >= 2"]', "is one of mark and merge"),
    ],
)
def test_what_the_repository_asks_for_wrongly_is_one_sentence(
    dirtyscan: Run, tmp_path: Path, wrong: str, said: str
) -> None:
    copied("c", tmp_path)
    manifest = tmp_path / MANIFEST
    text = manifest.read_text().split("# The same")[0]
    manifest.write_text(f"{wrong}\n{text}" if wrong[0] != "[" else f"{text}\n{wrong}\n")
    command = ("claims",) if "claims" in wrong else ("gate", "--against", "HEAD")
    done = dirtyscan(*command)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len(sentences(done.stderr)) == 1


def script_of(steps: list[dict[str, Any]], name: str) -> str:
    return str(next(step for step in steps if step.get("name") == name)["run"])


def run_script(script: str, folder: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, text=True, capture_output=True,
        env={**os.environ, **environment}, timeout=LONGEST,
    )  # fmt: skip
    return done.returncode, " ".join(done.stdout.split()) + done.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder like a virtual environment's, with this dirtyscan in it."""
    place = tmp_path / "place"
    (place / "bin").mkdir(parents=True)
    program = place / "bin/dirtyscan"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    program.chmod(0o755)
    return place


def test_what_the_action_and_the_template_run_finds_nothing_where_nothing_is(
    tmp_path: Path, installed: Path
) -> None:
    folder = tmp_path / "c"
    first = copied("c", folder)
    yaml = YAML(typ="safe")
    action = yaml.load(ROOT / "action.yml")
    output = tmp_path / "output"
    environment = {
        "PLACE": str(installed), "AGAINST": "HEAD", "FILES": "", "UNDECIDED": "pass", "OPTIONS": "",
        "GITHUB_OUTPUT": str(output), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    script = script_of(action["runs"]["steps"], "Gate")
    status, said = run_script(script, folder, **environment)
    assert status == 0, said
    assert f"the very code of the merge base with HEAD ({first})" in said
    assert Path(output.read_text().strip().removeprefix("junit=")).is_file()
    status, said = run_script(script, folder, **environment | {"FILES": "bench/none.c"})
    assert status == 2
    assert "bench/none.c cannot be read" in said
    # The script of GitLab's, but for the installation.
    job = yaml.load(EXAMPLES / "gitlab-ci.yml")["dirtyscan"]
    path = f"{installed}/bin:{os.environ['PATH']}"
    gitlab = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": first, "PATH": path, "PYTHONPATH": str(ROOT)}
    status, said = run_script(job["script"][1], folder, **gitlab)
    assert status == 0, said
    reports = job["artifacts"]["reports"]
    assert json.loads((folder / reports["codequality"]).read_text()) == []
    assert ElementTree.parse(folder / reports["junit"]).getroot().tag == "testsuites"


@needs("valgrind")
def test_the_hook_counts_and_times_nothing(tmp_path: Path, installed: Path) -> None:
    folder = tmp_path / "c"
    copied("c", folder)
    (hook,) = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    environment = {"PATH": f"{installed}/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    assert run_script(hook["entry"], folder, **environment)[0] == 0
    source = folder / "src/bitmap.c"
    text = source.read_text()
    source.write_text(
        text.replace(
            "        count += (size_t)__builtin_popcountll(map[word]);\n",
            "        count += (size_t)__builtin_popcountll(map[word]);\n"
            '        __asm__ volatile("nop\\nnop");\n',
        )
    )
    status, said = run_script(f"{hook['entry']} --condition cond1", folder, **environment)
    assert status == 1, said
    assert "counted in instructions against HEAD" in said
    assert "Nothing timed against HEAD" in said


@pytest.mark.parametrize(
    ("answer", "decides", "status", "slower"),
    [(0, "false", 0, False), (1, "false", 0, True), (1, "true", 1, False), (2, "false", 2, False),
     (2, "true", 2, False)],
)  # fmt: skip
def test_a_second_host_is_asked_only_about_what_is_slower_on_the_first(
    tmp_path: Path, answer: int, decides: str, status: int, slower: bool
) -> None:
    """The script of the workflow, with a gate that answers so."""
    workflows = ROOT / ".github/workflows"
    yaml = YAML(typ="safe")
    host = yaml.load(workflows / "gate-on-a-host.yml")["jobs"]["gate"]
    (tmp_path / ".venv/bin").mkdir(parents=True)
    program = tmp_path / ".venv/bin/dirtyscan"
    program.write_text(f'#!/bin/sh\necho "$@" > asked\nexit {answer}\n')
    program.chmod(0o755)
    output = tmp_path / "output"
    output.touch()
    environment = {"BASE": "origin/main", "DECIDES": decides, "GITHUB_OUTPUT": str(output)}
    assert run_script(script_of(host["steps"], "Gate"), tmp_path, **environment)[0] == status
    assert (output.read_text() == "slower=true\n") == slower
    assert "--against origin/main --merge-base" in (tmp_path / "asked").read_text()
    assert host["outputs"]["slower"] == "${{ steps.gate.outputs.slower }}"
    again = yaml.load(workflows / "gate.yml")["jobs"]["again"]
    assert again["needs"] == "gate"
    assert again["if"] == "needs.gate.outputs.slower == 'true'"
    assert again["with"]["decides"] is True
