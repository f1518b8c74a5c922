"""What is linked beside the files of a variant is its code too, where two are compared."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.native.archive import Archive, UnreadableArchive
from harness.native.beside import beside_units, only_compile
from harness.native.build import build_variant
from harness.native.code import code_hash
from harness.native.finding import find_variant
from harness.native.library import Library
from harness.native.manifest_tables import MANIFEST
from harness.native.toolchain import default_toolchain
from tests.needs import needs
from tests.test_manifest import cargo
from tests.test_placement import compile_object, write

PACKAGE = """
[package]
name = "mine"
version = "0.1.0"
edition = "2021"
[dependencies]
theirs = {{ path = "theirs" }}
[[example]]
name = "dirtyscan"
crate-type = ["cdylib"]
[profile.release]
{profile}
"""
EXAMPLE = """
mod dirtyscan {
    #![allow(dead_code)]
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
extern "C" fn count(map: &Map) -> u64 {
    mine::count_dirty(map.words())
}
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant =
    Variant::of_bitmap(2026, c"count", c"a test", count as *const _);
"""
# Neither is inlined into another crate: what calls something by itself is not.
OWN = "pub fn count_dirty(words: &[u64]) -> u64 { words.iter().map(|&x| theirs::bits(x)).sum() }\n"
THEIRS = """
#[inline(never)]
pub fn bits(word: u64) -> u64 { u64::from(word.count_ones()) }
#[inline(never)]
pub fn unasked(word: u64) -> u64 { word * 3 }
"""
TEN_TIMES = ".sum() }", ".sum::<u64>().max((0..10).map(|_| words.len() as u64).sum()) }"


def package(folder: Path, own: str = OWN, theirs: str = THEIRS, profile: str = "") -> Library:
    """Write a Cargo package that has a dependency, build its example and return that."""
    for path, text in (
        (MANIFEST, '[variant.mine]\ncargo = "."\n'),
        ("Cargo.toml", PACKAGE.format(profile=profile)),
        ("examples/dirtyscan.rs", EXAMPLE),
        ("src/lib.rs", own),
        ("theirs/Cargo.toml", "[package]\nname = 'theirs'\nversion = '0.1.0'\nedition = '2021'\n"),
        ("theirs/src/lib.rs", theirs),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / path).exists() or (folder / path).read_text() != text:
            (folder / path).write_text(text)
    return build_variant(find_variant("mine", "count"), default_toolchain())


@pytest.mark.parametrize("profile", ["", "lto = true", "codegen-units = 1\nopt-level = 's'"])
def test_a_package_is_its_own_library_and_its_dependencies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    """An example that calls one function is the same object whatever that function does."""
    cargo()
    monkeypatch.chdir(tmp_path)
    before = package(tmp_path, profile=profile)
    assert before.code
    other = package(tmp_path, own=OWN.replace(*TEN_TIMES), profile=profile)
    assert other.code
    assert not other.has_code_of(before)
    slower = THEIRS.replace("word.count_ones()", "std::hint::black_box(word).count_ones()")
    assert not package(tmp_path, theirs=slower, profile=profile).has_code_of(before)
    # What nothing calls is no part of it, and neither is a remark.
    unasked = THEIRS.replace("* 3", "* 5") + "// A remark.\n"
    same = package(tmp_path, OWN + "// A remark.\n", unasked, profile)
    assert same.code == before.code


UNIT = "#include <stdint.h>\nuint64_t helper(uint64_t pages) {{ return pages * {factor}; }}\n"
CALLS = {
    "before": "uint64_t helper(uint64_t); static uint64_t run(const struct dirtyscan_map *map) "
    "{ return helper(map->pages); }",
    "run": "run",
}


def archive(folder: Path, factor: int, *options: str) -> Path:
    """Write an archive that has a function, and return it."""
    folder.mkdir(exist_ok=True)
    (folder / "unit.c").write_text(UNIT.format(factor=factor))
    made = compile_object(folder / "unit.c")
    path = folder / "libunit.a"
    path.unlink(missing_ok=True)
    subprocess.run(["ar", *(options or ("rc",)), str(path), str(made)], check=True)
    return path


@needs("ar")
@pytest.mark.parametrize("flags", ['"-Llib", "-lunit"', '"lib/libunit.a"', '"-Wl,lib/libunit.a"'])
def test_an_archive_among_the_flags_is_the_code_of_the_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, **CALLS)
    (tmp_path / MANIFEST).write_text(
        f'[variant.mine]\nsources = ["mine.c"]\nflags = ["-O1", {flags}]\n'
    )

    def built(factor: int) -> Library:
        archive(tmp_path / "lib", factor)
        return build_variant(find_variant("mine", "count"), default_toolchain())

    before = built(3)
    assert not built(5).has_code_of(before)
    if shutil.which("objcopy"):
        assert built(3).has_code_of(before)


@needs("ar")
def test_a_member_of_an_archive_is_read_where_it_is_called(tmp_path: Path) -> None:
    mine = compile_object(write(tmp_path, **CALLS), "-ffunction-sections")
    by_name = code_hash([mine])
    found = [
        code_hash([mine], [archive(tmp_path / name, factor)])
        for name, factor in (("a", 3), ("b", 3), ("c", 5))
    ]
    assert all(found)
    assert found[0] == found[1] != found[2]
    assert by_name not in found
    # The first that defines it is the one that is linked.
    (first, *_, third) = (tmp_path / name / "libunit.a" for name in "abc")
    assert code_hash([mine], [first, third]) == found[0]
    # Of what is not known, or cannot be read, nothing is said.
    assert code_hash([mine], None) == ""
    assert code_hash([]) == ""
    assert code_hash([mine], [tmp_path / "gone.rlib"]) == ""
    assert code_hash([mine], [archive(tmp_path / "none", 3, "rcS")]) == ""
    assert code_hash([mine], [archive(tmp_path / "thin", 3, "rcT")]) == ""


@needs("ar")
def test_a_damaged_archive_is_not_read(tmp_path: Path) -> None:
    whole = archive(tmp_path / "lib", 3).read_bytes()
    path = tmp_path / "damaged.a"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            read = Archive(path)
            place = read.place_of("helper")
            if place is not None:
                read.member(place)
        except UnreadableArchive:
            pass
    path.write_bytes(whole)
    read = Archive(path)
    place = read.place_of("helper")
    assert place is not None
    assert read.member(place).startswith(b"\x7fELF")
    assert read.place_of("none") is None


def test_which_description_is_meant_decides_which_code(tmp_path: Path) -> None:
    """One of several is chosen by its symbol, and what it calls is its code."""
    hashes = []
    for run in ("count", "other"):
        source = write(tmp_path, run=run)
        text = source.read_text().replace("dirtyscan_variant = {", "chosen = {")
        source.write_text(text)
        hashes.append(code_hash([compile_object(source)], (), "chosen"))
    assert hashes[0] != hashes[1]


RUSTLIB = "/home/me/.rustup/toolchains/stable/lib/rustlib/x86_64-unknown-linux-gnu/lib"
UNIT_OF_RUST = "/target/release/examples/mine.0.rcgu.o"
LINKED = (
    *("-Wl,--version-script=/tmp/rustc1/list", "-Wl,--no-undefined-version", "-m64", UNIT_OF_RUST),
    *("-Wl,--as-needed", "-Wl,-Bstatic", f"{RUSTLIB}/libstd-1.rlib", "-Wl,-Bdynamic", "-lgcc_s"),
    *("-lc", "-L", "/tmp/rustc1/raw-dylibs", f"-B{RUSTLIB}/../bin/gcc-ld", "-fuse-ld=lld"),
    *("-Wl,--eh-frame-hdr", "-Wl,-z,noexecstack", "-L", RUSTLIB, "-Wl,--gc-sections", "-shared"),
    *("-Wl,-z,relro,-z,now", "-Wl,--strip-debug", "-nodefaultlibs"),
)


@pytest.mark.parametrize(
    ("more", "beside"),
    [
        ((), ()),
        (("/target/release/deps/libtheirs-1.rlib",), ("/target/release/deps/libtheirs-1.rlib",)),
        (("out/libbits.a", "/tmp/rustc1/symbols.o"), ("out/libbits.a", "/tmp/rustc1/symbols.o")),
        (("-lbits",), None),
        (("-l", "bits"), None),
        (("/target/release/deps/libtheirs.so",), None),
        (("-Wl,--defsym=a=b",), None),
        (("-Wl,-z,now,-lbits",), None),
        (("@more",), None),
    ],
)
def test_what_rustc_links_is_told_from_its_own(
    more: tuple[str, ...], beside: tuple[str, ...] | None
) -> None:
    found = beside_units((*LINKED, *more), [Path(UNIT_OF_RUST)])
    assert found == (None if beside is None else tuple(map(Path, beside)))


@pytest.mark.parametrize(
    ("options", "compile_alone"),
    [
        (("-O3", "-mpopcnt", "-Iinclude", "-I", "more", "-DA=1", "-D", "B", "-std=c11"), True),
        (("-fno-tree-vectorize", "-Wall", "-g3", "-isystem", "there", "-include", "a.h"), True),
        (("-lbits",), False),
        (("-Llib",), False),
        (("-Wl,--wrap=malloc",), False),
        (("-Xlinker", "a.a"), False),
        (("bits.so",), False),
        (("@more",), False),
        (("-fuse-ld=lld",), False),
        (("-nostdlib",), False),
        (("-I", "-lbits", "-lbits"), False),
    ],
)
def test_options_that_bring_nothing_to_link_are_known(
    options: tuple[str, ...], compile_alone: bool
) -> None:
    assert only_compile(options) == compile_alone
