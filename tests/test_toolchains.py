"""Toolchains: profiles of C and of Rust, how they combine, and what is under none of them."""

import dataclasses
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from harness.base.errors import BadInput
from harness.gate.comparability import usable_timings
from harness.gate.lanes import compile_pairs, line_up_pairs
from harness.gate.reference import read_reference
from harness.gate.revision import Pair
from harness.machine.cpu import cpu_model
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.plan import OTHER_WORK
from harness.native.build import build_stopwatch, build_trial, build_variant, compiling_toolchain
from harness.native.built_variant import rust_obstacle
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS
from harness.native.placement import CLASSES, DRAWN, DRAWS
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import (
    AS_GIVEN,
    COMPILERS,
    RUST_PROFILES,
    default_toolchain,
    find_toolchain,
    find_toolchains,
    names_for,
    rust_companion,
    toolchain_names,
)
from harness.native.variant import VARIANTS, Variant, built_in_variants
from harness.report.run_table import results_table
from harness.report.variants import ladder_table
from harness.results.environment import Environment
from harness.results.result import SPEEDUPS, read_table
from harness.results.speedups import named_apart
from harness.trial.trial import Trial
from tests.conftest import Run, store
from tests.needs import needs
from tests.test_operations import two_maps
from tests.test_own_variants import SOURCE
from workloads.guest import GuestMemory

# Two of each operation: all of them are tried with the first profile elsewhere, and each build at
# sixteen placements takes seconds.
OF_RUST = [
    (operation, names[place])
    for operation in OPERATIONS
    if (names := [name for name, one in built_in_variants(operation).items() if one.is_rust])
    for place in (0, -1)
]
on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="is not for aarch64")
with_rust = pytest.mark.skipif(bool(rust_obstacle()), reason="needs rustc")


@pytest.mark.parametrize("name", toolchain_names())
def test_every_name_is_found_or_says_what_it_needs(name: str) -> None:
    said, found = "", None
    try:
        found = find_toolchain(name)
    except BadInput as error:
        said = str(error)
    if found is None:
        assert said.startswith(f"toolchain {name} ")
    else:
        assert found.name == name
        assert found.flags
        assert re.search(r"\d+\.\d+", found.version)


def test_all_are_listed_with_what_they_are(dirtyscan: Run) -> None:
    done = dirtyscan("variants", "--toolchains")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines()[1:] if line[0] != " "]
    assert listed == toolchain_names()
    era = default_toolchain()
    words = " ".join(done.stdout.split())
    assert f"{era.name} -O2 {era.version.split()[0]}" in words.replace("-fno-tree-vectorize ", "")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_profile_of_x86_is_refused_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(BadInput, match="toolchain cc-popcnt is for x86_64 and this is aarch64"):
        find_toolchain("cc-popcnt")


def test_one_of_rust_without_rustc_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.native.toolchain.path_of_rust", lambda _: None)
    with pytest.raises(BadInput, match=r"^toolchain rustc-size needs rustc, .* rustup\.rs\)\.$"):
        find_toolchains(("rustc-size",))


@with_rust
@pytest.mark.parametrize("of_c", [(), ("cc-era",), ("cc-native", "cc-distro")])
@pytest.mark.parametrize("of_rust", [(), ("rustc-size",), ("rustc-o2", "rustc-release")])
def test_those_of_rust_go_with_each_of_c(of_c: tuple[str, ...], of_rust: tuple[str, ...]) -> None:
    by_itself = {"cc-native": "rustc-native"}
    pairs = [
        (c, rust)
        for c in of_c or (default_toolchain().name,)
        for rust in of_rust or (by_itself.get(c, "rustc-release"),)
    ]
    for names in itertools.permutations((*of_c, *of_rust)):
        found = [(one.name, rust_companion(one).name) for one in find_toolchains(names)]
        assert sorted(found) == sorted(pairs)
        # What a result was made with is made again by naming what this says.
        if of_c:
            made = tuple(dict.fromkeys(name for pair in pairs for name in pair))
            again = find_toolchains(names_for((*made, AS_GIVEN.name)))
            assert sorted((one.name, rust_companion(one).name) for one in again) == sorted(pairs)


def test_what_cannot_be_named_again_is_not() -> None:
    assert names_for(("rustc-size", AS_GIVEN.name, "python-3.11.2")) == ()


@with_rust
@pytest.mark.parametrize("profile", RUST_PROFILES)
@pytest.mark.parametrize(("operation", "name"), OF_RUST)
def test_every_profile_of_rust_makes_the_same_of_it(
    operation: str, name: str, profile: str
) -> None:
    """Right by numpy, and with its code at every placement, also when optimized as a whole."""
    variant = built_in_variants(operation)[name]
    (toolchain,) = find_toolchains((f"rustc-{profile}",))
    assert compiling_toolchain(variant, toolchain).name == f"rustc-{profile}"
    built = build_variant(variant, toolchain, placed=DRAWN)
    assert built.unplaced == ""
    assert len(built.placed) == CLASSES * DRAWS
    said = load_variant(built.path).description
    random = np.random.default_rng(2)
    maps = [random.random(5001) < density for density in (0.0, 0.01, 0.5, 1.0)]
    bitmaps = [np.packbits(map_, bitorder="little") for map_ in maps]
    known = OPERATIONS[operation]
    snapshots = make_snapshots(bitmaps, range(4), known)
    libraries = (build_stopwatch(toolchain).path, build_trial(toolchain).path)
    trial = Trial(*libraries, known, GuestMemory(5001 * 4096), snapshots)
    for path in (built.path, built.placed[-1]):
        assert trial.find_fault(path, said.map, said.bound) is None


@with_rust
def test_small_code_is_smaller() -> None:
    """By the sum of the sections of code that the assembler has written."""
    if not shutil.which("size"):
        pytest.skip("needs size")
    variant = built_in_variants("ranges")["word_runs"]

    def code(profile: str) -> int:
        (toolchain,) = find_toolchains((f"rustc-{profile}",))
        path = str(build_variant(variant, toolchain).path)
        done = subprocess.run(["size", path], capture_output=True, text=True, check=True)
        return int(done.stdout.splitlines()[1].split()[0])

    assert code("size") < code("release")


@on_x86
@needs("objdump")
@pytest.mark.parametrize(("profile", "counts"), [("distro", False), ("popcnt", True)])
@pytest.mark.parametrize("compiler", ["cc", "clang", "zig"])
def test_bits_are_counted_by_the_instruction_where_it_is_asked_for(
    compiler: str, profile: str, counts: bool, tmp_path: Path
) -> None:
    try:
        toolchain = find_toolchain(f"{compiler}-{profile}")
    except BadInput as error:
        pytest.skip(str(error))
    source = tmp_path / "mine.c"
    source.write_text((SOURCE % "").replace("dirty +=", "dirty += __builtin_popcountll(calls) +"))
    path = build_variant(find_variant(str(source), "count"), toolchain).path
    done = subprocess.run(["objdump", "-d", str(path)], capture_output=True, text=True, check=True)
    assert ("popcnt" in done.stdout) == counts


@with_rust
@pytest.mark.parametrize("original", ["loop_bits", "edges"])
@pytest.mark.parametrize(
    "names",
    [
        ("cc-era", "cc-distro"),
        ("rustc-size", "rustc-o2"),
        ("cc-era", "cc-native"),
        ("cc-era", "cc-distro", "rustc-size", "rustc-release"),
    ],
)
def test_nothing_is_lined_up_twice(original: str, names: tuple[str, ...]) -> None:
    """pyperf refuses two benchmarks of one name: cc-era and cc-distro have the same rustc."""
    choice = choose(("word_runs", "bit_positions_list", "read_limit"), "ranges", original)
    toolchains = find_toolchains(names)
    lanes = line_up(choice, toolchains).lanes
    keys = [(lane.label, lane.toolchain) for lane in lanes]
    assert len(set(keys)) == len(keys)
    expected = set()
    for one, toolchain in itertools.product((choice.original, *choice.variants), toolchains):
        expected.add((one.name, compiling_toolchain(one, toolchain).name))
    assert {key for key in keys if not key[0].endswith(" again")} == expected
    for number, lane in enumerate(lanes):
        compared = lanes[lane.original]
        assert (compared.variant, compared.noise_floor) == (original, False)
        assert compared.original == lane.original <= number
        assert not lane.noise_floor or lane.toolchain == compared.toolchain


def test_a_toolchain_that_compiles_nothing_is_refused(dirtyscan: Run) -> None:
    if rust_obstacle():
        pytest.skip(rust_obstacle())
    for command in (["bench", "--condition", "cond1"], ["compare", "multi_page", "word_sum"]):
        done = dirtyscan(*command, "--toolchain", "rustc-size")
        assert done.returncode == 2
        assert "toolchain rustc-size has nothing to compile, since" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def library(folder: Path, name: str = "mine", fault: str = "") -> None:
    """Make a shared object as somebody's own build does."""
    source = folder / f"{name}.c"
    source.write_text(SOURCE % fault, encoding="utf-8")
    command = [*default_toolchain().command, "-shared", "-fPIC", f"-I{VARIANTS}", str(source)]
    subprocess.run([*command, "-o", str(folder / f"{name}.so")], check=True)


@pytest.mark.usefixtures("short_runs")
def test_a_library_is_under_the_toolchain_of_nobody(dirtyscan: Run, tmp_path: Path) -> None:
    """It was listed under the compiler of the run, which had never seen it."""
    library(tmp_path)
    store(tmp_path / "small.trace", two_maps())
    named = ("--variant=mine.so", "--variant=mine.c", "--toolchain=cc-era", "--toolchain=cc-distro")
    done = dirtyscan("bench", "--trace", "small.trace", *named, "--plots", "plots")
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results/latest"
    rows = pd.read_csv(results / "speedups.csv")
    own = rows[rows["variant"] == "mine.so"]
    assert own["toolchain"].tolist() == ["as given"]
    assert own["original_toolchain"].tolist() == ["cc-era"]
    assert rows.loc[rows["variant"] == "mine", "toolchain"].tolist() == ["cc-era", "cc-distro"]
    made = json.loads((results / "environment.json").read_text())["toolchains"]
    assert [one["name"] for one in made] == ["cc-era", "cc-distro"]
    calls = pd.read_csv(results / "snapshots.csv")
    assert set(calls.loc[calls["variant"] == "mine.so", "toolchain"]) == {"as given"}
    first, second = done.stdout.split("speedup of one call, ")[1:]
    assert first.startswith("cc-era")
    assert "mine.so" in first
    assert "mine.so" not in second
    markdown = dirtyscan("report", "results/latest", "--format", "markdown").stdout
    assert "mine.so (as given)" in markdown


@pytest.mark.usefixtures("short_runs")
def test_a_library_can_be_what_others_are_compared_with(dirtyscan: Run, tmp_path: Path) -> None:
    library(tmp_path)
    store(tmp_path / "small.trace", two_maps())
    done = dirtyscan("compare", "mine.so", "mine.c", "--trace", "small.trace")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["A: mine.so (as given)", "B: mine (cc-era)"]


def test_a_library_that_goes_astray_is_named_with_it(dirtyscan: Run, tmp_path: Path) -> None:
    library(tmp_path)
    library(tmp_path, "wrong", "dirty++;")
    store(tmp_path / "small.trace", two_maps())
    done = dirtyscan("compare", "mine.so", "wrong.so", "--trace", "small.trace")
    assert done.returncode == 1
    assert "variant wrong.so (as given) counts" in done.stderr


def test_what_several_profiles_made_is_told_apart_in_tables() -> None:
    """Of one variant beside one original: the second was shown as the first."""
    rows = read_table(Path(__file__).parent.parent / "results/amd-epyc-26-2-variants", SPEEDUPS)
    rows = rows[(rows["original_toolchain"] == "cc-era") & ~rows["noise_floor"]]
    one = rows[rows["variant"] == "word_sum"]
    both = pd.concat(
        [rows, *(one.assign(variant="mine", toolchain=f"rustc-{name}") for name in ("o2", "size"))]
    )
    assert named_apart(rows)["variant"].tolist() == rows["variant"].tolist()
    shown = Console(width=80)
    for many in (True, False):
        with shown.capture() as capture:
            shown.print(results_table(both if many else both[both["variant"] == "mine"]))
        for name in ("mine (rustc-o2)", "mine (rustc-size)"):
            assert name in " ".join(capture.get().split())
    lines = [line[0] for line in ladder_table(both).lines]
    assert len(set(lines)) == len(lines)


@pytest.mark.usefixtures("short_runs")
@with_rust
def test_profiles_of_rust_are_recorded_with_what_they_are(dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("compare", "edges", "word_runs", "--density", "0.1", "--guest-memory", "4MiB",
                     "--toolchain", "rustc-o2", "--toolchain", "rustc-size")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "A: edges (cc-era)" in done.stdout
    for name in ("rustc-o2", "rustc-size"):
        assert f"B: word_runs ({name})" in done.stdout
    text = (tmp_path / "results/compare/environment.json").read_text()
    made = {one["name"]: one for one in json.loads(text)["toolchains"]}
    assert list(made) == ["cc-era", "rustc-o2", "rustc-size"]
    assert {"-Copt-level=s", "-Clto=fat", "-Ccodegen-units=1"} <= set(made["rustc-size"]["flags"])
    assert made["rustc-o2"]["version"].startswith("rustc ")


@with_rust
def test_every_clone_compiles_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one keeps another takes, so paths that a panic would name must not be in it."""
    other = tmp_path / "variants"
    shutil.copytree(VARIANTS, other)
    made = []
    for number, root in enumerate((VARIANTS, other)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(number)))
        path = root / "ranges" / "word_runs.rs"
        variant = Variant("word_runs", "ranges", (path,), built_in=True, root=root)
        made.append(build_variant(variant, default_toolchain()).path.read_bytes())
    assert made[0] == made[1]


@with_rust
def test_a_gate_compiles_both_sides_each_in_its_language() -> None:
    """The older side was given to rustc where the newer one is in Rust."""
    older = find_variant(str(VARIANTS / "ranges" / "edges.c"), "ranges")
    pair = Pair(older, built_in_variants("ranges")["word_runs"])
    compiled, left_out = compile_pairs([pair], find_toolchains(("cc-era", "cc-distro")))
    assert not left_out
    # Both have the same rustc beside them.
    assert [one.subject for one in compiled] == [("ranges", "word_runs", "rustc-release")]
    before, after = line_up_pairs(compiled).lanes
    toolchain = find_toolchain("cc-era")
    assert before.build_hash == build_variant(older, toolchain).build_hash
    assert after.build_hash == build_variant(pair.after, toolchain).build_hash


def test_a_reference_has_its_libraries_beside_the_original_that_is_the_same() -> None:
    era = default_toolchain()
    folder = Path(__file__).parent / "amd-epyc-gate"
    stored = read_reference(folder)
    keys = [("cond1-captured", "multi_page", era.name), ("cond1-captured", "x.so", AS_GIVEN.name)]

    def usable(version: str) -> tuple[str, ...]:
        made = [{"name": era.name, "version": version, "flags": list(era.flags)}]
        here = {"model": cpu_model(), "architecture": platform.machine()}
        cpu = {"count": 2, "usable": 2, "flags": [], "caches": {}, "hypervisor": True, **here}
        layout = {**stored.environment["layout"], "other_work": OTHER_WORK}
        environment = {
            **stored.environment, "toolchains": made, "cpu": cpu, "layout": layout
        }  # fmt: skip
        one = dataclasses.replace(
            stored, logs=dict.fromkeys(keys, (0.0,)), environment=cast("Environment", environment)
        )
        return usable_timings(one).toolchains

    assert usable(era.version) == (era.name, AS_GIVEN.name)
    assert usable("cc (GCC) 4.4.5") == ()


def small_compiler(folder: Path) -> None:
    """Put a cc into ``folder`` that is no gcc and says so as tcc does."""
    folder.mkdir()
    (folder / "cc").write_text(
        '#!/bin/sh\n[ "$1" != --version ] || echo "tinycc version 1.0"\n'
        '[ "$1" != -dM ] || echo "#define __GNUC__ 2"\n'
    )
    (folder / "cc").chmod(0o755)


def test_a_cc_without_the_builtins_is_named_and_not_the_variant(
    dirtyscan: Run, tmp_path: Path
) -> None:
    """With tcc as cc it once said that page_by_page is no variant, and to put a file beside it."""
    small_compiler(tmp_path / "bin")
    done = dirtyscan(
        "bench", "--toolchain", "cc-era", env={**os.environ, "PATH": str(tmp_path / "bin")}
    )
    assert done.returncode == 2
    assert done.stderr == (
        "dirtyscan: toolchain cc-era needs a compiler of GNU C, as gcc and clang are, and cc is "
        "'tinycc version 1.0' here; name another with --toolchain, or install gcc or clang.\n"
    )


def test_a_compiler_that_can_be_used_is_taken_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usable = default_toolchain()
    small_compiler(tmp_path / "bin")
    (tmp_path / "bin" / "clang").symlink_to(shutil.which(usable.command[0]) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert default_toolchain().name == "clang-era"


@pytest.mark.parametrize("name", [f"{compiler}-era" for compiler in COMPILERS])
def test_every_compiler_links_a_variant_at_every_placement(name: str) -> None:
    """zig's linker takes a symbol that is to be kept in one form of several."""
    try:
        toolchain = find_toolchain(name)
    except BadInput as error:
        pytest.skip(str(error))
    made = build_variant(built_in_variants("count")["word_sum"], toolchain, placed=DRAWN)
    assert made.unplaced == ""
    assert len(made.placed) == CLASSES * DRAWS


def test_a_table_says_which_compiler_it_was(dirtyscan: Run) -> None:
    """cc is the name of many, and ratios are as much the compiler's as the patch's."""
    done = dirtyscan("report", str(VARIANTS.parents[1] / "results" / "amd-epyc-26-2"))
    assert done.stdout.startswith(
        "speedup of one call, cc-era (cc (Debian 12.2.0-14+deb12u1) 12.2.0)"
    )
