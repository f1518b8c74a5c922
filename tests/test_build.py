"""Compiling: what is kept for the next run, and what a compiler's answer becomes."""

import dataclasses
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import BadInput
from harness.native import compiler, compiling
from harness.native.build import build_trial, build_variant
from harness.native.compiler import listed_dependencies
from harness.native.finding import find_variant
from harness.native.loaded_variant import describe_variant
from harness.native.toolchain import Toolchain, default_toolchain, rust_toolchain
from harness.native.variant import Variant, built_in_variants
from tests.conftest import Run, wait_until

COUNT = """
#include "dirtyscan.h"
#include "{include}"
static uint64_t count(const struct dirtyscan_map *map)
{{
    uint64_t page, dirty = 0;
    for (page = 0; page < map->pages; page++)
        dirty += (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    return dirty * FACTOR;
}}
const struct dirtyscan_variant dirtyscan_variant = {{
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "one byte after the other", .run.count = count,
}};
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dirtyscan" / "build"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def own(path: Path, include: str) -> Variant:
    write(path, COUNT.format(include=include))
    return find_variant(str(path), "count")


def test_what_a_file_includes_is_part_of_it(tmp_path: Path) -> None:
    """Also from elsewhere: the way in which code of another repository is brought."""
    source = write(tmp_path / "src/scan.h", "#define FACTOR 1\n")
    variant = own(tmp_path / "bench/mine.c", "../src/scan.h")
    before = build_variant(variant, default_toolchain())
    same = build_variant(variant, default_toolchain())
    assert same == before
    write(source, "#define FACTOR 2\n")
    after = build_variant(variant, default_toolchain())
    assert after.build_hash != before.build_hash
    assert after.path.read_bytes() != before.path.read_bytes()


def test_so_is_what_the_environment_lets_a_compiler_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for factor in (1, 2):
        write(tmp_path / f"{factor}/scan.h", f"#define FACTOR {factor}\n")
    variant = own(tmp_path / "mine.c", "scan.h")
    built = []
    for factor in (1, 2):
        monkeypatch.setenv("CPATH", str(tmp_path / str(factor)))
        built.append(build_variant(variant, default_toolchain()))
    assert built[0].build_hash != built[1].build_hash
    assert built[0].path != built[1].path
    write(tmp_path / "2/stdint.h", "#include_next <stdint.h>\n")
    before = build_trial(default_toolchain())
    write(tmp_path / "2/stdint.h", "#include_next <stdint.h>\n#define MORE 1\n")
    assert build_trial(default_toolchain()).build_hash != before.build_hash


def test_so_is_a_module_of_rust(tmp_path: Path) -> None:
    try:
        toolchain = rust_toolchain("release")
    except BadInput as error:
        pytest.skip(str(error))
    module = write(tmp_path / "twice/mod.rs", "pub const TIMES: u64 = 1;\n")
    write(
        tmp_path / "mine.rs",
        '#[path = "twice/mod.rs"]\nmod twice;\n'
        '#[no_mangle]\npub extern "C" fn times() -> u64 { twice::TIMES }\n',
    )
    variant = find_variant(str(tmp_path / "mine.rs"), "ranges")
    assert toolchain.is_rust
    before = build_variant(variant, default_toolchain())
    assert build_variant(variant, default_toolchain()).build_hash == before.build_hash
    write(module, "pub const TIMES: u64 = 2;\n")
    assert build_variant(variant, default_toolchain()).build_hash != before.build_hash


def test_what_comes_with_dirtyscan_lists_all_that_it_reads() -> None:
    """It is kept by this list: a file that is missing from it could change unseen."""
    toolchain = default_toolchain()
    for operation in ("count", "tick", "merge"):
        for variant in built_in_variants(operation).values():
            if variant.is_rust:
                continue
            listed = {path.resolve() for path in variant.dependencies}
            for source in variant.sources:
                command = [*toolchain.command, f"-I{variant.root}", "-MM", str(source)]
                rule = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                assert {path.resolve() for path in listed_dependencies(rule)} <= listed


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fill with the name of each unit that is compiled."""
    seen: list[str] = []
    run = compiler.run_compiler

    def count(command: list[str], made: Path, source: Path, *rest: Any, **more: Any) -> None:
        seen.append(source.name)
        run(command, made, source, *rest, **more)

    monkeypatch.setattr(compiling, "run_compiler", count)
    return seen


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


@pytest.mark.parametrize("damage", [truncate, flip, empty, Path.unlink, become_a_folder])
@pytest.mark.parametrize("suffix", [".so", ".json"])
def test_a_damaged_cache_mends_itself(
    damage: Callable[[Path], None], suffix: str, cache: Path, compilations: list[str]
) -> None:
    """It was loaded as it was: a truncated library ended the main process without a word."""
    toolchain = default_toolchain()
    library = build_trial(toolchain)
    whole = library.path.read_bytes()
    made = len(compilations)
    assert made
    assert build_trial(toolchain) == library
    assert len(compilations) == made
    (damaged,) = cache.glob(f"trial-*{suffix}")
    damage(damaged)
    assert build_trial(toolchain) == library
    assert library.path.read_bytes() == whole
    assert len(compilations) == 2 * made


def test_a_header_of_the_system_that_changes_is_compiled_anew(
    tmp_path: Path, cache: Path, compilations: list[str]
) -> None:
    """An updated libc may change what is inlined, and the compiler's version stays the same."""
    own = default_toolchain()
    command = (*own.command, "-isystem", str(tmp_path))
    toolchain = dataclasses.replace(own, command=command)
    header = write(tmp_path / "stdint.h", "#include_next <stdint.h>\n")
    before = build_trial(toolchain)
    made = len(compilations)
    assert build_trial(toolchain) == before
    assert len(compilations) == made
    write(header, "#include_next <stdint.h>\nstatic const int updated = 1;\n")
    after = build_trial(toolchain)
    assert len(compilations) == 2 * made
    assert after.build_hash != before.build_hash


def test_what_another_version_has_kept_is_made_anew(tmp_path: Path) -> None:
    """A gate timed code that had not changed: another had kept the hash of it, made in its way."""
    copy = tmp_path / "harness"
    shutil.copytree(Path(compiling.__file__).parent.parent, copy)
    ask = """
from harness.native.build import build_variant
from harness.native.finding import find_variant
from harness.native.toolchain import default_toolchain
print(build_variant(find_variant("word_sum", "count"), default_toolchain()).code)
"""

    def code() -> str:
        command = [sys.executable, "-c", ask]  # which looks in its folder first
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    first = code()
    assert code() == first
    hashed = copy / "native" / "code.py"
    text = hashed.read_text(encoding="utf-8")
    hashed.write_text(
        text.replace("digest = hashlib.sha256()", 'digest = hashlib.sha256(b"other")')
    )
    second = code()
    assert second != first
    hashed.write_text(text)
    assert code() == first


def fake_compiler(folder: Path, script: str) -> Toolchain:
    path = write(folder / "fake", f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Toolchain("fake-era", (str(path),), ("-O2",), "fake 1.0")


def test_a_compiler_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LIMIT", 0.5)
    script = f"sleep 1000 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(BadInput, match="fake did not end within"):
        build_trial(fake_compiler(tmp_path, script))
    child = Path(f"/proc/{int((tmp_path / 'child').read_text())}")
    wait_until(lambda: not child.exists() or "Z" in (child / "stat").read_text().split()[2])


def test_a_compiler_that_makes_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"fake ended well and made nothing; mend or remove"):
        build_trial(fake_compiler(tmp_path, "exit 0"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "/tmp/x.s: fatal error: writing: No space left on device",
            "No space left on device",
        ),
        ("error: unable to open output file: 'Disk quota exceeded'", "Disk quota exceeded"),
        ("cc: internal compiler error: File size limit exceeded signal", "File too large"),
    ],
)
def test_a_full_disk_is_not_blamed_on_what_is_compiled(tmp_path: Path, said: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        build_trial(fake_compiler(tmp_path, f'echo "{said}" >&2; exit 1'))
    assert re.fullmatch(
        rf"compiled variants cannot be kept in the cache or {tempfile.gettempdir()} \({why}\); "
        r"make room there, or set .*",
        str(caught.value),
    )


def test_a_compiler_speaks_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    with pytest.raises(BadInput, match="does not compile with fake-era: said in C"):
        build_trial(fake_compiler(tmp_path, 'echo "said in $LC_ALL" >&2; exit 1'))


def test_all_that_a_compiler_says_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.c", "int a = b;\nint c = d;\n")
    with pytest.raises(BadInput) as caught:
        build_variant(find_variant(str(path), "count"), default_toolchain())
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path} does not compile with {default_toolchain().name}:"
    assert any("mine.c:1:" in line and "'b'" in line for line in lines[1:])
    assert any("mine.c:2:" in line and "'d'" in line for line in lines[1:])
    assert all(line.startswith("    ") for line in lines[1:])


def test_so_is_what_a_linker_says(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.c", COUNT.format(include="more.h"))
    write(tmp_path / "more.h", "#define FACTOR factor()\nextern uint64_t factor(void);\n")
    toolchain = default_toolchain()
    with pytest.raises(BadInput, match=r"(?s)does not compile with .*undefined .*factor"):
        build_variant(
            find_variant(str(path), "count"),
            Toolchain(toolchain.name, toolchain.command, ("-Wl,-z,defs",), toolchain.version),
        )


def test_a_symbol_that_nobody_defines_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.c", COUNT.format(include="more.h"))
    write(tmp_path / "more.h", "#define FACTOR factor()\nextern uint64_t factor(void);\n")
    built = build_variant(find_variant(str(path), "count"), default_toolchain())
    with pytest.raises(BadInput, match=r"^mine\.c needs factor, which none of its files defines"):
        describe_variant(built.path, "mine.c")


def test_warnings_do_not_hide_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.c", "#warning long\n" * 40 + "#error this\n")
    with pytest.raises(BadInput, match=r":\n    .*mine\.c:41:2: error: #error this"):
        build_variant(find_variant(str(path), "count"), default_toolchain())


def test_rules_of_make_are_read_as_make_reads_them() -> None:
    rule = "x.o: a.c /usr/b\\ c.h \\\n ../d.h$$ \\\n e\\#.h\n\na.c:\n"
    assert [str(p) for p in listed_dependencies(rule)] == ["a.c", "/usr/b c.h", "../d.h$", "e#.h"]
    assert listed_dependencies("") == []


@pytest.mark.parametrize("name", ["-o.c", "**.c", "a b.c", "ü$x.c", "q'\".c"])
def test_any_name_that_can_be_shown_is_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "more.h", "#define FACTOR 1\n")
    write(tmp_path / name, COUNT.format(include="more.h"))
    write(tmp_path / "other.extra.c", "#error another variant's unit\n")
    variant = find_variant(name, "count")
    built = build_variant(variant, default_toolchain())
    assert describe_variant(built.path).summary == "one byte after the other"


@pytest.mark.parametrize(
    "name", ["a\nb.c", "\x1b[31m.c", "\udce9.c", "x" * 10_000 + ".c", "x" * 230 + ".c"]
)
def test_one_that_cannot_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="a variant cannot be called"):
        find_variant(name, "count")


def test_a_folder_that_lets_nothing_be_loaded_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = os.statvfs(tmp_path)
    fields = [*status]
    fields[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    with pytest.raises(BadInput, match=r"mounted noexec\); set XDG_CACHE_HOME to a folder that"):
        build_trial(default_toolchain())


def test_nobodys_home_is_a_sentence(dirtyscan: Run) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER")}
    kept.pop("XDG_CACHE_HOME")
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("becoming a user without an entry takes root and setpriv")
    command = ["setpriv", "--reuid", "54321", "--clear-groups", sys.executable]
    done = subprocess.run(
        [*command, "-m", "harness", "variants"], env=kept, capture_output=True, text=True
    )
    if "Permission denied" in done.stderr or done.returncode == 127:
        pytest.skip("another user cannot read this checkout")
    assert done.returncode == 2, done.stderr
    assert "set XDG_CACHE_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1
