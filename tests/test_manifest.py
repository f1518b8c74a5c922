"""Manifests: what a repository says of its variants, and what is wrong with it."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from harness.base.errors import BadInput
from harness.native.build import build_variant
from harness.native.built_variant import BuiltVariant, build_here, declared_operation
from harness.native.finding import find_own, find_variant, with_arguments
from harness.native.loaded_variant import load_variant
from harness.native.manifest import find_manifest, read_manifest
from harness.native.manifest_tables import MANIFEST
from harness.native.placement import CLASSES, DRAWN
from harness.native.toolchain import cargo_toolchain, default_toolchain
from tests.conftest import Run
from tests.needs import needs

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
C = {
    "src/bits.c": '#include "bits.h"\nunsigned long bits(unsigned long word)\n'
    "{\n    return (unsigned long)__builtin_popcountl(word) * FACTOR;\n}\n",
    "include/bits.h": "unsigned long bits(unsigned long word);\n",
    "bench/mine.c": """
#include "bits.h"
#include "dirtyscan.h"
static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t word, dirty = 0;
    for (word = 0; word < (map->pages + 63) / 64; word++) {
        dirty += bits(map->words[word]);
    }
    return dirty;
}
const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "bitmap",
    .summary = "a test", .run.count = count,
};
""",
    MANIFEST: """
[variant.mine]
sources = ["bench/mine.c", "src/bits.c"]
include = ["include"]
defines = ["FACTOR=1"]
flags = ["-mpopcnt"]
""",
}
SMALL = (
    *("bench", "--guest-memory", "32MiB", "--set", "max_ticks=4", "--condition", "cond1"),
    *("--precision", "50%", "--origin", "synthetic"),
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in C.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cargo() -> str:
    try:
        return cargo_toolchain("release").command[0]
    except BadInput as error:
        pytest.skip(f"rustc: {error}")


def built(name: str, operation: str = "count") -> BuiltVariant:
    found = build_here(find_variant(name, operation), default_toolchain(), placed=DRAWN)
    assert isinstance(found, BuiltVariant), found
    return found


def instructions(library: Path) -> str:
    done = subprocess.run(["objdump", "-d", library], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.usefixtures("short_runs")
def test_a_variant_of_a_manifest_is_measured_by_its_name(repository: Path, dirtyscan: Run) -> None:
    done = dirtyscan(*SMALL, "mine")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(repository / "results/latest/speedups.csv")
    assert set(rows["variant"]) == {"mine", "page_by_page again"}
    assert (rows["placement_low"] > 0).all()
    # From a folder below it, as from anywhere in a repository.
    (repository / "below").mkdir()
    assert find_manifest(repository / "below") == find_manifest(repository)


def test_what_a_manifest_says_reaches_the_compiler(
    repository: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repository / MANIFEST).read_text()
    with_popcnt = built("mine").library
    assert len(with_popcnt.placed) == 4 * CLASSES
    (repository / MANIFEST).write_text(text.replace('flags = ["-mpopcnt"]', ""))
    without = built("mine").library
    assert not with_popcnt.has_code_of(without)
    if shutil.which("objdump"):
        assert "popcnt" in instructions(with_popcnt.path)
        assert "popcnt" not in instructions(without.path)
    (repository / MANIFEST).write_text(text.replace("FACTOR=1", "FACTOR=2"))
    done = dirtyscan(*SMALL, "mine")
    assert done.returncode == 1
    assert "counts " in done.stderr


def test_the_operation_is_taken_from_the_file(repository: Path) -> None:
    mine = repository / "bench/mine.c"
    text = mine.read_text().replace('"count"', '"merge"').replace(".run.count", ".run.merge")
    text = text.replace(
        "const struct dirtyscan_map *map)", "struct dirtyscan_map *map, const uint64_t *log)"
    )
    mine.write_text(text)
    assert declared_operation(find_own("mine")) == "merge"


@pytest.mark.usefixtures("short_runs")
def test_what_stands_behind_two_dashes_goes_to_the_compiler(
    repository: Path, dirtyscan: Run
) -> None:
    behind = ("-Iinclude", "-DFACTOR=1", "src/bits.c")
    done = dirtyscan(*SMALL, "bench/mine.c", "--", *behind)
    assert done.returncode == 0, done.stderr
    variant = with_arguments(find_variant("bench/mine.c", "count"), behind)
    assert variant.sources == (Path("bench/mine.c"), Path("src/bits.c"))
    assert variant.options == behind[:2]
    done = dirtyscan(*SMALL, "bench/mine.c", "--", *behind[1:])
    assert done.returncode == 2
    assert "bits.h" in done.stderr
    done = dirtyscan(*SMALL, "--", *behind)
    assert done.returncode == 2
    assert "is for the compiler of a file of your own" in done.stderr
    done = dirtyscan("variants", "--", "-O3")
    assert done.returncode == 2
    assert "takes nothing behind --" in done.stderr


@needs("make", "ar")
def test_a_build_system_makes_its_own(repository: Path) -> None:
    (repository / "Makefile").write_text(
        "mine.a: bench/mine.c src/bits.c\n"
        '\tcd out && $(CC) -c -fPIC -O1 -I"$(DIRTYSCAN_INCLUDE)" -I../include -DFACTOR=1 '
        "../bench/mine.c ../src/bits.c\n\tar rc out/mine.a out/mine.o out/bits.o\n"
    )
    (repository / "out").mkdir()
    (repository / MANIFEST).write_text(
        '[variant.mine]\nbuild = "make -s mine.a"\nlibrary = "out/mine.a"\n'
    )
    found = built("mine")
    assert found.description.summary == "a test"
    assert len(found.library.placed) == 4 * CLASSES
    # It writes to another place than it says; or fails.
    (repository / MANIFEST).write_text(
        '[variant.mine]\nbuild = "true"\nlibrary = "out/other.a"\n'
        '[variant.failing]\nbuild = "echo no such rule >&2; exit 3"\nlibrary = "out/mine.a"\n'
    )
    with pytest.raises(BadInput, match=r"'true' ended well and there is no .*other\.a"):
        built("mine")
    with pytest.raises(BadInput, match="fails: no such rule"):
        built("failing")


@needs("make", "ar")
def test_one_archive_may_have_several_variants(repository: Path) -> None:
    text = (repository / "bench/mine.c").read_text()
    for name, summary in (("first", "the first"), ("second", "the second")):
        own = text.replace("dirtyscan_variant = {", f"{name} = {{").replace("a test", summary)
        (repository / f"bench/{name}.c").write_text(own)
    (repository / "Makefile").write_text(
        "both.a: bench/first.c bench/second.c src/bits.c\n"
        '\t$(CC) -c -fPIC -O1 -I"$(DIRTYSCAN_INCLUDE)" -Iinclude -DFACTOR=1 $^\n'
        "\tar rc both.a first.o second.o bits.o\n"
    )
    (repository / MANIFEST).write_text(
        "".join(
            f'[variant.{name}_one]\nbuild = "make -s both.a"\nlibrary = "both.a"\n'
            f'symbol = "{name}"\n'
            for name in ("first", "second", "third")
        )
    )
    for name in ("first", "second"):
        found = built(f"{name}_one")
        assert found.description.summary == f"the {name}"
        assert len(found.library.placed) == 4 * CLASSES
    with pytest.raises(BadInput, match="third"):
        built("third_one")


@needs("g++")
def test_units_may_be_of_cxx(repository: Path) -> None:
    text = '#include <bitset>\nextern "C" unsigned long bits(unsigned long word)\n'
    text += "{\n    return std::bitset<64>(word).count();\n}\n"
    (repository / "src/bits.cc").write_text(text)
    (repository / MANIFEST).write_text(
        '[variant.mine]\nsources = ["bench/mine.c", "src/bits.cc"]\ninclude = ["include"]\n'
    )
    assert load_variant(built("mine").library.path).address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[variant.mine]\nsource = ['a.c']\n",
            "unknown field source in variant.* (line 2); known are sources, include",
        ),
        (
            "[variant.mine]\nsources = 'a.c'\n",
            "Expected array, got str in variant.*sources (line 2)",
        ),
        (
            "[variants.mine]\nsources = ['a.c']\n",
            "unknown field variants (line 1); known are variant, gate",
        ),
        ("[variant.mine]\n", "[variant.mine] has nothing to compile; give sources, or cargo"),
        ("[variant.mine]\ncargo='.'\nsources=['a.c']\n", "has sources and cargo; give"),
        ("[variant.mine]\nbuild = 'make'\n", "has a build and no library"),
        (
            "[variant.mine]\nbuild = 'make'\nlibrary = 'a.so'\nsymbol = 'x'\n",
            "has a symbol, by which one of several is linked",
        ),
        ("[variant.mine]\nsources = ['a.py']\n", "has 'a.py' in sources, and takes .c"),
        ("[variant.word_sum]\nsources = ['a.c']\n", "is called as a variant of dirtyscan's own"),
        ("[variant.'a b']\nsources = ['a.c']\n", "needs a name of letters"),
        ("[variant.mine]\nsources = ['a.c']\npublished = 'x'\n", "and not which variant it checks"),
        (
            "[variant.mine]\nsources = ['a.c']\nchecks = 'word_sum'\npublished = \"\\u0007\"\n",
            "has characters in published that cannot be shown",
        ),
        ("[variant.mine\n", "it is no TOML"),
        ("[variant.mine]\n[variant.mine]\n", "it is no TOML"),
        ("[variant.mine]\nsources = ['a.c']\n", "there is no "),
        ("[variant.mine]\ncargo = 'nowhere'\n", "Cargo.toml; check its path"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_one_sentence(
    text: str, said: str, dirtyscan: Run, tmp_path: Path
) -> None:
    (tmp_path / MANIFEST).write_text(text)
    done = dirtyscan(*SMALL, "mine")
    assert done.returncode == 2
    first, _, last = said.partition(".*")
    assert first in done.stderr, done.stderr
    assert last in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_tables_of_a_pyproject_do_as_well(repository: Path) -> None:
    text = (repository / MANIFEST).read_text().replace("[variant.", "[tool.dirtyscan.variant.")
    (repository / "pyproject.toml").write_text("[project]\nname = 'mine'\n" + text)
    (repository / MANIFEST).unlink()
    assert find_variant("mine", "count").options[0] == f"-I{repository}/include"


def test_a_package_is_built_by_cargo_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cargo()
    folder = tmp_path / "rust"
    shutil.copytree(EXAMPLES / "rust", folder, ignore=shutil.ignore_patterns("target"))
    monkeypatch.chdir(folder)
    assert declared_operation(find_own("ranges")) == "ranges"
    found = built("ranges", "ranges")
    assert found.toolchain.name == "cargo-release"
    assert len(found.library.placed) == 4 * CLASSES, found.library.unplaced
    assert found.library.code
    assert not (folder / "target").exists()
    # Another optimization is other code, and so is that of another file; a comment is not.
    manifest, source = folder / "Cargo.toml", folder / "src/lib.rs"
    before = manifest.read_text(), source.read_text()
    manifest.write_text(before[0].replace('opt-level = "s"', "opt-level = 3"))
    assert not built("ranges", "ranges").library.has_code_of(found.library)
    manifest.write_text(before[0])
    source.write_text("// A comment.\n" + before[1])
    assert built("ranges", "ranges").library.has_code_of(found.library)
    # A copy elsewhere, as of another revision, is not taken for it though Cargo keeps both.
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    slower = before[1].replace("rest = word;", "rest = std::hint::black_box(word);")
    (other / "src/lib.rs").write_text(slower)
    here = find_variant("ranges", "ranges")
    manifest_here = find_manifest(folder)
    assert manifest_here is not None
    there = read_manifest(other, f"{manifest_here.kept}-revision")
    assert there is not None
    for _ in range(2):
        ours, theirs = (
            build_variant(one, default_toolchain())
            for one in (here, there.variant("ranges", "ranges"))
        )
        assert not ours.has_code_of(theirs)
    source.write_text("no Rust\n")
    with pytest.raises(BadInput, match=r"Cargo.toml does not build:(.|\n)*src/lib.rs:1"):
        built("ranges", "ranges")
    source.write_text(before[1])
    manifest.write_text(before[0].replace("cdylib", "rlib"))
    with pytest.raises(BadInput, match="is no library for C"):
        built("ranges", "ranges")


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("language", ["c", "rust"])
def test_what_init_writes_can_be_measured(language: str, dirtyscan: Run, tmp_path: Path) -> None:
    if language == "rust":
        cargo()
        text = "[package]\nname = 'mine'\nversion = '0.1.0'\nedition = '2021'\n"
        (tmp_path / "Cargo.toml").write_text(text)
        (tmp_path / "src").mkdir()
        (tmp_path / "src/lib.rs").write_text("")
    done = dirtyscan("init")
    assert done.returncode == 0, done.stderr
    done = dirtyscan(*SMALL, "mine")
    assert done.returncode == 0, done.stderr
    done = dirtyscan("init")
    assert done.returncode == 2
    assert "is there already" in done.stderr
