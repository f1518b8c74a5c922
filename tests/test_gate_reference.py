"""Stored references: what of them can be compared here, and damaged ones."""

import itertools
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from harness.base.errors import BadInput
from harness.gate import comparability, speedups
from harness.gate.choice import find_counted, find_timed
from harness.gate.comparability import compiler_release, usable_counts, usable_timings
from harness.gate.reference import read_reference
from harness.machine.cpu import cpu_caches, cpu_flags, cpu_model
from harness.measurement import experiment
from harness.measurement.budget import BudgetTooShort
from harness.measurement.plan import OTHER_WORK
from harness.native.built_variant import rust_obstacle
from harness.native.toolchain import default_toolchain, find_toolchain
from harness.results import design
from tests.test_gate import (
    REFERENCE,
    ROOT,
    Gate,
    gate,
    hasty,
    refused,
    words,
)

__all__ = ["gate", "hasty"]  # fixtures
Make = Callable[..., Path]
needs_rust = pytest.mark.skipif(
    bool(rust_obstacle()), reason="rustc is not here, so no counts of Rust are compared"
)
HERE = {
    "model": cpu_model(),
    "architecture": platform.machine(),
    "flags": list(cpu_flags()),
    "caches": cpu_caches(),
    "count": 2,
    "usable": 2,
    "hypervisor": True,
}
MEASURE = ["--condition", "cond1", "--budget", "600"]


@pytest.fixture
def reference(tmp_path: Path) -> Make:
    """Copy the committed reference as if of this machine, with changes to its JSON files."""

    def make(environment: dict[str, object] | None = None, **changes: object) -> Path:
        folder = tmp_path / "results" / "any-gate"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(REFERENCE / "processes.csv", folder)
        toolchain = default_toolchain()
        own = {
            "cpu": HERE,
            "toolchains": [{"name": "cc-era", "version": toolchain.version, "flags": []}],
        }
        for name, changed in (
            ("environment.json", {**own, **(environment or {})}),
            ("gate.json", changes),
        ):
            document = json.loads((REFERENCE / name).read_text())
            if "layout" in document:
                document["layout"]["other_work"] = OTHER_WORK
            (folder / name).write_text(json.dumps({**document, **changed}))
        return folder

    return make


DEBIAN = "cc (Debian 12.2.0-14+deb12u1) 12.2.0"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (DEBIAN, "gcc (Debian 12.2.0-14)", True),
        (DEBIAN, "gcc-12 (Debian 12.4.0-1) 12.4.0", True),
        (DEBIAN, "x86_64-linux-gnu-gcc-12 (GCC) 12.3.1 20230508 (Red Hat 12.3.1-1)", True),
        (DEBIAN, "gcc (crosstool-NG 1.25.0.95_7622b49) 12.2.0", True),
        (DEBIAN, "cc (Ubuntu 13.3.0-6ubuntu2~24.04) 13.3.0", False),
        (DEBIAN, "Debian clang version 12.0.1", False),
        (DEBIAN, "tcc version 12.9.27 (x86_64 Linux)", False),
        ("Debian clang version 14.0.6", "clang version 14.0.0 (https://github.com/x/y)", True),
        ("Debian clang version 14.0.6", "clang version 15.0.0", False),
        ("rustc 1.95.0 (59807616e 2026-04-14)", "rustc 1.95.1 (01f6ddf75 2026-05-11)", True),
        ("rustc 1.95.0 (59807616e 2026-04-14)", "rustc 1.80.1 (3f5fd8dd4 2024-08-06)", False),
        ("rustc 1.97.0-nightly (aaa 2026-05-01)", "rustc 1.97.0-nightly (bbb 2026-05-02)", False),
    ],
)
def test_a_compiler_is_known_by_what_it_is_and_its_release(
    one: str, other: str, same: bool
) -> None:
    assert (compiler_release(one) == compiler_release(other)) is same


OTHER_MACHINES = [
    ({"architecture": "riscv64"}, "it was measured on riscv64 and this is"),
    ({"model": "Another CPU"}, "it was measured on another CPU (Another CPU)"),
    # A hypervisor's name for many CPUs, of which this is one with other caches.
    ({"caches": {"L1d": "3K"}}, "another CPU than this, of the same name"),
    ({"flags": ["avx1024"]}, "another CPU than this, of the same name"),
    ({"generation": "family 1, model 2"}, "it was family 1, model 2, and this is"),
    ({"stepping": "1"}, "it was stepping 1, and this is 2"),
]


@pytest.mark.parametrize(("cpu", "said"), OTHER_MACHINES)
def test_speedups_of_another_machine_are_not_compared(
    reference: Make, cpu: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A virtual machine may hide both.
    monkeypatch.setattr(design, "cpu_caches", lambda: {"L1d": "32K"})
    monkeypatch.setattr(design, "cpu_flags", lambda: ("sse2",))
    monkeypatch.setattr(design, "cpu_stepping", lambda: "2")
    own = {"caches": {"L1d": "32K"}, "flags": ["sse2"]}
    assert usable_timings(read_reference(reference({"cpu": {**HERE, **own}}))).toolchains
    usable = usable_timings(read_reference(reference({"cpu": {**HERE, **own, **cpu}})))
    assert not usable.toolchains
    assert said in usable.reasons[0]


def test_microcode_is_said_and_no_more(reference: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparability, "cpu_microcode", lambda: "0x2")
    usable = usable_timings(read_reference(reference({"cpu": {**HERE, "microcode": "0x1"}})))
    assert usable.toolchains
    assert "the microcode was 0x1 and is 0x2" in " ".join(usable.remarks)


def named(reference: Make, environments: dict[str, dict[str, object]]) -> list[Path]:
    """Make a reference in each of some environments, that are called as they are."""
    made = []
    for name, environment in environments.items():
        folder = reference(environment)
        made.append(folder.rename(folder.with_name(f"{name}-gate")))
    return made


def several(reference: Make, cpus: dict[str, dict[str, object]]) -> list[Path]:
    """Make a reference for each of some CPUs, that are called as they are."""
    return named(reference, {name: {"cpu": {**HERE, **cpu}} for name, cpu in cpus.items()})


def test_of_several_references_that_of_this_cpu_is_taken(reference: Make) -> None:
    cpus: dict[str, dict[str, object]] = {
        "a": {"model": "Another CPU"}, "b": {"generation": "family 1, model 2"}, "c": {},
    }  # fmt: skip
    folders = several(reference, cpus)
    for order in itertools.permutations(folders):
        (found,) = find_timed(order)
        assert found.folder.name == "c-gate"
    assert usable_timings(found).toolchains


def test_else_the_nearest_is_and_its_reason_says_so(
    reference: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design, "cpu_generation", lambda: "family 26, model 2")
    cpus: dict[str, dict[str, object]] = {
        "riscv": {"architecture": "riscv64"},
        "other": {"model": "Another CPU"},
        "older": {"generation": "family 25, model 1"},
        "stepped": {"generation": "family 26, model 2", "stepping": "77"},
    }
    folders = several(reference, cpus)
    for last in (4, 3, 2):
        (found,) = find_timed(folders[:last])
        assert found.folder == folders[last - 1]
        (reason,) = usable_timings(found).reasons
        assert f"no other of {last} references is nearer" in reason
    with pytest.raises(BadInput, match="nowhere"):
        find_timed([*folders, Path("nowhere")])


def test_counts_are_those_of_the_newest_that_this_compiler_made(reference: Make) -> None:
    """On a CPU without a reference of its own too, where an old one would accuse what is new."""
    other = [{"name": "cc-era", "version": "cc (GCC) 4.4.5", "flags": []}]
    made: dict[str, dict[str, object]] = {
        "own": {},
        "newest": {"cpu": {**HERE, "model": "Another CPU"}},
        "compiler": {"toolchains": other},
        "riscv": {"cpu": {**HERE, "architecture": "riscv64"}},
    }
    for day, environment in enumerate(made.values(), start=1):
        environment["date"] = f"2026-11-0{day}T00:00:00+00:00"
    folders = named(reference, made)
    for order in itertools.permutations(folders):
        (found,) = find_counted(order)
        assert found.folder.name == "newest-gate"
        (timed,) = find_timed(order)
        assert timed.folder.name in ("own-gate", "compiler-gate")
    # Where none can be compared, the newest says why.
    (found,) = find_counted(folders[2:])
    assert "this is" in " ".join(usable_counts(found).reasons)
    asked = ["cc-distro"]
    (found,) = find_counted(folders[:3], asked)
    assert "has nothing of cc-distro" in " ".join(usable_counts(found, asked).reasons)


def test_counts_need_the_architecture_alone(reference: Make) -> None:
    stored = read_reference(reference({"cpu": {**HERE, "model": "Another CPU"}}))
    assert usable_counts(stored).toolchains
    stored = read_reference(reference({"cpu": {**HERE, "architecture": "riscv64"}}))
    assert not usable_counts(stored).toolchains


@pytest.mark.parametrize("of", [usable_timings, usable_counts])
def test_what_another_compiler_made_is_not_compared(
    reference: Make, of: Callable[..., Any]
) -> None:
    made = [{"name": "cc-era", "version": "cc (GCC) 4.4.5", "flags": []}]
    usable = of(read_reference(reference({"toolchains": made})))
    assert "cc-era" not in usable.toolchains
    assert "cc-era was cc (GCC) 4.4.5 then and is" in usable.reasons[0]
    # Nor is anything compared with what it does not have.
    usable = of(read_reference(reference()), ["cc-distro"])
    assert "cc-era" not in usable.toolchains
    assert "has nothing of cc-distro" in usable.reasons[0]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results").glob("*/gate.json")), ids=lambda p: p.parent.name
)
def test_a_committed_reference_says_who_compiled_all_that_it_has(path: Path) -> None:
    """What it does not say of is never compared, so that its counts would guard nothing."""
    stored = read_reference(path.parent)
    recorded = {made["name"] for made in stored.environment["toolchains"] if made["version"]}
    assert {key.toolchain for key in stored.instructions} <= recorded
    assert {toolchain for _, _, toolchain in stored.logs} <= recorded


@pytest.mark.parametrize(("then", "says"), [(None, "no"), (False, "no"), (True, "less")])
def test_speedups_with_something_else_before_each_snapshot_are_not_compared(
    gate: Gate, reference: Make, then: bool | None, says: str
) -> None:
    """Such a reference says another figure of the same code."""
    folder = reference()
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    del environment["layout"]["other_work"]
    environment["layout"] |= {} if then is None else {"other_work": then}
    path.write_text(json.dumps(environment))
    answer = gate("--baseline", str(folder), *MEASURE)
    assert answer.status == 3, answer
    assert f"{says} other work came before its snapshots than does now; make it anew with" in (
        words(answer)
    )


def test_what_an_unknown_rustc_made_is_not_compared(reference: Make) -> None:
    cc = {"name": "cc-era", "version": default_toolchain().version, "flags": []}
    usable = usable_counts(read_reference(reference()))
    assert usable.toolchains == ("cc-era",)
    assert "rustc-release" in usable.reasons[0]
    other = {"name": "rustc-release", "version": "rustc 1.70.0 (90c541806 2023-05-31)", "flags": []}
    usable = usable_counts(read_reference(reference({"toolchains": [cc, other]})))
    assert usable.toolchains == ("cc-era",)


@needs_rust
def test_what_this_rustc_made_is_compared(reference: Make) -> None:
    rustc = find_toolchain("rustc-release")
    made = {"name": "rustc-release", "version": rustc.version, "flags": ["-Copt-level=2"]}
    usable = usable_counts(read_reference(reference({"toolchains": [made]})))
    assert usable.toolchains == ("rustc-release",)
    assert any("rustc-release was called with -Copt-level=2" in said for said in usable.remarks)
    other = {**made, "version": "rustc 1.70.0 (90c541806 2023-05-31)", "flags": []}
    usable = usable_counts(read_reference(reference({"toolchains": [other]})))
    assert not usable.toolchains
    assert "rustc-release was rustc 1.70.0" in " ".join(usable.reasons)


def test_what_differs_less_is_said(reference: Make) -> None:
    stored = read_reference(reference({"kernel": "Linux 2.6.32"}))
    usable = usable_timings(stored)
    assert usable.toolchains == ("cc-era",)
    assert "the kernel was Linux 2.6.32 and is" in " ".join(usable.remarks)


def test_nothing_compared_is_said_everywhere(
    gate: Gate, reference: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    reference({"cpu": {**HERE, "model": "Another CPU"}})
    files = [f"--{kind}={kind}" for kind in ("markdown", "junit", "json", "bmf")]
    answer = gate(*files)
    assert answer.status == 3, answer
    nothing = "Nothing timed against reference results/any-gate."
    assert f"{nothing} Nothing was compared." in words(answer)
    assert "No variant got slower" not in answer.out
    assert f"::warning title=nothing was compared::{nothing}" in answer.out
    assert "nothing compared: exit status 3" in answer.err
    markdown = (tmp_path / "markdown").read_text()
    assert markdown.startswith(f"## dirtyscan gate: Nothing was compared.\n\n{nothing}\n")
    root = ElementTree.parse(tmp_path / "junit").getroot()
    assert (root.get("tests"), len(list(root.iter("skipped")))) == ("2", 2)
    assert json.loads((tmp_path / "json").read_text()) == []
    assert json.loads((tmp_path / "bmf").read_text()) == {}
    # Who asks for it may let that pass.
    assert gate("--undecided", "pass").status == 0
    assert gate("--undecided", "fail").status == 1


@pytest.mark.usefixtures("hasty")
def test_another_compiler_is_not_compared_whatever_else_is_asked(
    gate: Gate, reference: Make, tmp_path: Path
) -> None:
    reference({"toolchains": [{"name": "cc-era", "version": "cc (GCC) 4.4.5", "flags": []}]})
    answer = gate("--baseline", "--require", "cond1 multi_page >= 0.01", *MEASURE, "--json=g")
    assert answer.status == 3, answer
    assert "cc-era was cc (GCC) 4.4.5 then" in words(answer)
    kinds = {entry["name"].split("/")[4] for entry in json.loads((tmp_path / "g").read_text())}
    assert kinds == {"requirement"}


def test_another_architecture_has_no_reference(gate: Gate, reference: Make) -> None:
    folder = reference({"cpu": {**HERE, "architecture": "riscv64"}})
    refused(gate, [], "there is no reference for")
    assert gate("--baseline", str(folder)).status == 3


DAMAGED: list[tuple[str, Any, str]] = [
    ("gate.json", None, "gate.json cannot be read"),
    ("gate.json", "{", "gate.json is damaged"),
    ("gate.json", "[" * 100_000, "gate.json is damaged"),
    ("gate.json", "5", "gate.json is damaged"),
    ("gate.json", {"format": "x"}, "Expected int, got str in format)"),
    ("gate.json", {"format": 0}, "in format)"),
    ("gate.json", {"format": 99}, "is of format 99"),
    ("gate.json", {"requirements": [5]}, "in requirements[0])"),
    ("gate.json", {"replaced": 5}, "in replaced)"),
    ("gate.json", {"instructions": [["count", "x"]]}, "in instructions[0])"),
    ("gate.json", {"instructions": [["count", "x", "cc-era", "y", 0]]}, "in instructions[0][4])"),
    ("environment.json", "{}", "environment.json is damaged"),
    ("environment.json", {"cpu": 5}, "environment.json"),
    ("environment.json", {"cpu": {}}, "environment.json"),
    ("environment.json", {"toolchains": 5}, "environment.json"),
    ("environment.json", {"toolchains": [{}]}, "environment.json"),
    ("environment.json", {"layout": {"traces": 5}}, "environment.json"),
    ("processes.csv", "", "processes.csv"),
    ("processes.csv", "trace,variant,toolchain,speedup\n", "has no rows"),
    ("processes.csv", "trace,variant,toolchain\nx,y,z\n", "processes.csv"),
    ("processes.csv", "trace,variant,toolchain,speedup\nx,y,z,0\n", "processes.csv"),
    ("processes.csv", "trace,variant,toolchain,speedup\nx,y,z,\n", "processes.csv"),
    ("processes.csv", "trace,variant,toolchain,speedup\nx,y,z,inf\n", "processes.csv"),
]


@pytest.mark.parametrize(("name", "change", "said"), DAMAGED)
@pytest.mark.parametrize("evidence", [[], ["--instructions"]])
def test_a_damaged_reference_is_one_sentence(
    gate: Gate,
    reference: Make,
    name: str,
    change: str | dict[str, object] | None,
    said: str,
    evidence: list[str],
) -> None:
    folder = reference()
    file = folder / name
    if change is None:
        file.unlink()
    elif isinstance(change, str):
        file.write_text(change)
    else:
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    refused(gate, [*evidence, "--baseline", str(folder)], said)


def test_a_reference_that_lacks_a_row_is_one_sentence(gate: Gate, reference: Make) -> None:
    folder = reference()
    table = pd.read_csv(folder / "processes.csv")
    missing = (table["trace"] == "cond2-captured") & (table["variant"] == "multi_page")
    table[~missing].to_csv(folder / "processes.csv", index=False)
    refused(gate, ["--baseline", str(folder)], "no row for multi_page (cc-era) on cond2-captured")


@pytest.mark.usefixtures("hasty")
def test_what_is_not_measured_a_second_time_is_undecided(
    gate: Gate, reference: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reference()
    table = pd.read_csv(folder / "processes.csv")
    table = table[table["variant"] == "multi_page"]
    table["speedup"] = [900.0 + row % 7 for row in range(len(table))]
    table.to_csv(folder / "processes.csv", index=False)
    measure = experiment.measure
    runs = itertools.count()

    def once(*arguments: object, **options: object) -> object:
        if next(runs):
            raise BudgetTooShort("a budget is too short.")
        return measure(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(speedups, "measure", once)
    answer = gate("--baseline", str(folder), *MEASURE)
    assert answer.status == 3, answer
    assert "it could not be measured a second time" in words(answer)
