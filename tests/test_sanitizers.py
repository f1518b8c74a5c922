"""Every variant in C under AddressSanitizer and UndefinedBehaviorSanitizer, and on aarch64."""

import functools
import itertools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.native.build import STOPWATCH, build_variant
from harness.native.loaded_variant import load_variant
from harness.native.operation import OPERATIONS, Operation
from harness.native.toolchain import default_toolchain
from harness.native.variant import VARIANTS, Variant, built_in_variants
from tests.test_stored import CALLS, TYPE

NATIVE = VARIANTS.parent / "native"
MAIN = (Path(__file__).parent / "sanitize.c", *STOPWATCH)
# Lines are all that a report needs of the debugger's information, and all of it takes longer.
COMMON = ("-g1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{VARIANTS}", f"-I{NATIVE}")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", ("qemu-aarch64", "qemu-aarch64-static")
NOT_HERE = 77  # see sanitize.c
# What a linker says that has no sanitizer's runtime, and what to install.
RUNTIMES = {
    "gcc": (r"(-l|lib)(a|ub)san", "Debian: libasan8, libubsan1; Fedora: libasan, libubsan"),
    "clang": ("libclang_rt", "Debian: libclang-rt-dev"),
}

IN_C = [
    pytest.param(variant, id=f"{operation}-{name}")
    for operation in OPERATIONS
    for name, variant in built_in_variants(operation).items()
    if not variant.is_rust
]


Bits = NDArray[np.bool_]


def densities(pages: int) -> list[Bits]:
    """Maps of no page, all, every other, the last, runs of three lengths, few, and nearly all."""
    page = np.arange(pages)
    mixed = (page.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    few = (mixed >> np.uint64(32)) % np.uint64(16) == 0
    runs = [page // length % 2 == 0 for length in (5, 33)]
    last = page == pages - 1
    return [page < 0, page >= 0, page % 2 == 0, last, *runs, page % 237 < 150, few, ~few]


# The last ones need a second word of the summary.
LENGTHS = (*range(1, 71), 127, 128, 255, 256, 511, 512, 513)
LARGE = (1025, 4095, 4096, 4096 + 7, 9000, 64 * 512 + 7, 70001)


def words_of(bits: Bits) -> NDArray[np.uint64]:
    packed = np.packbits(bits, bitorder="little")
    return np.pad(packed, (0, -len(packed) % 8)).view(np.uint64)


def heeds_argument(operation: Operation) -> bool:
    """Whether the argument changes what comes out of a map with all pages dirty."""
    bits = np.ones(64, np.bool_)
    words = words_of(bits)
    rights = {operation.right(words, words, argument) for argument in (0, 1)}
    lefts = {operation.left(bits, bits, argument).tobytes() for argument in (0, 1)}
    return len(rights) + len(lefts) > 2


def make_cases(operation: Operation) -> Iterator[NDArray[np.uint64]]:
    """Yield what ``sanitize.c`` reads of each case."""
    heeds = heeds_argument(operation)
    for pages in (*LENGTHS, *LARGE):
        maps = densities(pages)
        words = [words_of(map_) for map_ in maps]
        for before, logged in itertools.product(range(len(maps)), repeat=2):
            arguments: Sequence[int] = (0,)
            if pages in LARGE:
                if logged != (before + 3) % len(maps):
                    continue
                arguments = (0, 5, pages + 1) if heeds else (0,)
            elif heeds:  # over all logs, every one that there is for a short map
                arguments = range(logged, pages + 2, len(maps) * (1 + pages // 71 * 4))
            for argument in arguments:
                right = operation.right(words[before], words[logged], argument)
                left = operation.left(maps[before], maps[logged], argument)
                head = np.array([pages, argument, right], np.uint64)
                yield np.concatenate([head, words[before], words[logged], words_of(left)])


class BuiltMain:
    """What is linked to each variant, compiled once with each compiler."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.objects = functools.cache(self._compile)
        self.cases = functools.cache(self._write_cases)
        """By operation, the file of what its variants are called on."""

    def _compile(self, compiler: str, flags: tuple[str, ...]) -> tuple[Path, ...]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        objects = tuple(folder / f"{source.stem}.o" for source in MAIN)
        for source, made in zip(MAIN, objects, strict=True):
            command = [compiler, *COMMON, *flags, "-c", str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return objects

    def _write_cases(self, operation: str) -> Path:
        path = self._folder / f"{operation}.cases"
        with path.open("wb") as file:
            file.writelines(case.tobytes() for case in make_cases(OPERATIONS[operation]))
        return path

    def link(
        self, compiler: str, flags: tuple[str, ...], sources: Sequence[Path], program: Path
    ) -> None:
        """Compile ``sources`` of a variant and make the program that calls it."""
        units = map(str, (*self.objects(compiler, flags), *sources))
        command = [compiler, *COMMON, *flags, *units, "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True)
        pattern, remedy = RUNTIMES.get(compiler, ("$^", ""))
        if done.returncode and re.search(pattern, done.stderr):
            pytest.skip(f"{compiler} has no sanitizer runtime here ({remedy})")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built_main(tmp_path_factory: pytest.TempPathFactory) -> BuiltMain:
    return BuiltMain(tmp_path_factory.mktemp("main"))


def skip_if_missing(compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")


def skip_if_it_cannot_run(variant: Variant) -> None:
    built = build_variant(variant, default_toolchain())
    obstacle = load_variant(built.path).description.obstacle()
    if obstacle:
        pytest.skip(f"{variant.name} {obstacle}")


# By day those of one compiler look at every variant, and at night both.
WITH_CLANG = pytest.param("clang", marks=[pytest.mark.night] if shutil.which("gcc") else [])


@pytest.mark.parametrize("compiler", ["gcc", WITH_CLANG])
@pytest.mark.parametrize("variant", IN_C)
def test_no_sanitizer_has_anything_to_say(
    variant: Variant, compiler: str, built_main: BuiltMain, tmp_path: Path
) -> None:
    skip_if_missing(compiler)
    skip_if_it_cannot_run(variant)
    program = tmp_path / "program"
    built_main.link(compiler, SANITIZED, variant.sources, program)
    command = [str(program), str(built_main.cases(variant.operation))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("variant", IN_C)
def test_it_is_right_on_aarch64(variant: Variant, built_main: BuiltMain, tmp_path: Path) -> None:
    emulator = next(filter(shutil.which, EMULATOR), None)
    if shutil.which(CROSS) is None or emulator is None:
        pytest.skip("needs gcc-aarch64-linux-gnu and qemu-user")
    program = tmp_path / "program"
    built_main.link(CROSS, ("-O2", "-static"), variant.sources, program)
    command = [emulator, str(program), str(built_main.cases(variant.operation))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == NOT_HERE:
        pytest.skip(f"{variant.name} is not for aarch64")
    assert done.returncode == 0, done.stderr


def run_broken(operation: str, text: str, compiler: str, main: BuiltMain, folder: Path) -> str:
    """Return what is said of the variant ``text`` of ``operation``, which must not pass."""
    skip_if_missing(compiler)
    broken, program = folder / "broken.c", folder / "program"
    broken.write_text(text, encoding="utf-8")
    main.link(compiler, SANITIZED, [broken], program)
    command = [str(program), str(main.cases(operation))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode not in (0, 2)
    return done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_sanitizer_would_see_a_byte_too_far(
    compiler: str, built_main: BuiltMain, tmp_path: Path
) -> None:
    """The test above can fail: a variant that reads one byte behind its map does."""
    variant = built_in_variants("count")["page_by_page"].sources[0]
    text = variant.read_text(encoding="utf-8")
    wrong = text.replace("addr < last_ram_offset", "addr <= last_ram_offset")
    assert wrong != text
    said = run_broken("count", wrong, compiler, built_main, tmp_path)
    assert "heap-buffer-overflow" in said
    assert "READ of size 1" in said


# Variants that write an element too far, by operation.
TOO_FAR = {
    # The word behind the last page's, which is there unless that page is the last of its word.
    "mark": """
        static void run(struct dirtyscan_map *map, uint64_t first, uint64_t pages)
        {
            for (; pages--; first++)
                __atomic_fetch_or(&map->words[first / 64], UINT64_C(1) << first % 64, 5);
            __atomic_fetch_or(&map->words[first / 64], UINT64_C(0), 5);
        }
        """,
    "merge": """
        static uint64_t run(struct dirtyscan_map *map, const uint64_t *log)
        {
            uint64_t index, added = 0;

            for (index = 0; index < (map->pages + 63) / 64; index++) {
                added += (uint64_t)__builtin_popcountll(log[index] & ~map->words[index]);
                map->words[index] |= log[index];
            }
            map->words[map->pages / 64 + 1] = 0;
            return added;
        }
        """,
    "drain": """
        static void run(struct dirtyscan_map *map, uint64_t *taken)
        {
            uint64_t index;

            for (index = 0; index < (map->pages + 63) / 64; index++)
                taken[index] = __atomic_exchange_n(&map->words[index], 0, 5);
            taken[index] = 0;
        }
        """,
    "ranges": """
        static uint64_t run(const struct dirtyscan_map *map, struct dirtyscan_ranges *ranges)
        {
            uint64_t page, count = 0, open = 0;

            for (page = 0; page < map->pages; page++) {
                const uint64_t dirty = map->words[page / 64] >> page % 64 & 1;

                if (dirty && !open)
                    ranges->list[count++].first = page;
                open = dirty;
            }
            ranges->list[count].first = page; /* an end, for which there may be no room */
            return count;
        }
        """,
}


def variant_text(operation: str, body: str) -> str:
    return f"""
        #include "dirtyscan.h"
        {body}
        const struct dirtyscan_variant dirtyscan_variant = {{
            .abi = DIRTYSCAN_ABI,
            .operation = "{operation}",
            .map = "bitmap",
            .summary = "wrong",
            .run.{operation} = run,
        }};
        """


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("operation", TOO_FAR)
def test_the_sanitizer_would_see_a_write_too_far(
    operation: str, compiler: str, built_main: BuiltMain, tmp_path: Path
) -> None:
    """It sees what an operation writes as it does what one reads."""
    text = variant_text(operation, TOO_FAR[operation])
    said = run_broken(operation, text, compiler, built_main, tmp_path)
    assert "heap-buffer-overflow" in said
    assert "WRITE of size 8" in said


def test_a_map_that_is_left_wrong_would_be_seen(built_main: BuiltMain, tmp_path: Path) -> None:
    """A merge may return the right number and store nothing."""
    body = TOO_FAR["merge"].replace("map->words[index] |= log[index];", "")
    body = body.replace("map->words[map->pages / 64 + 1] = 0;", "")
    said = run_broken("merge", variant_text("merge", body), "gcc", built_main, tmp_path)
    assert "pages wrong" in said
    assert "Sanitizer" not in said


def test_a_search_that_goes_wrong_from_some_places_would_be_seen(
    built_main: BuiltMain, tmp_path: Path
) -> None:
    """Most of them are inside a run of clean pages, where no search from page to page begins."""
    body = """
        static uint64_t run(const struct dirtyscan_map *map, uint64_t from)
        {
            const uint64_t clean = from % 64 == 37 && !(map->words[from / 64] >> 37 & 1);

            for (from += clean; from < map->pages; from++)
                if (map->words[from / 64] >> from % 64 & 1)
                    return clean ? map->pages : from;
            return map->pages;
        }
        """
    said = run_broken("next", variant_text("next", body), "gcc", built_main, tmp_path)
    assert "argument 37 offset 0" in said


@pytest.mark.parametrize("operation", ["ranges", "drain", "merge"])
def test_a_type_with_storage_of_its_own_is_read_back(
    operation: str, built_main: BuiltMain, tmp_path: Path
) -> None:
    """What is filled before a call and freed after it is seen as the call itself is."""
    skip_if_missing("gcc")
    program = tmp_path / "program"
    command = [str(program), str(built_main.cases(operation))]
    found = []
    for before in ("", "#define WHEN_READ stored->dirty[0] ^= 1;\n"):
        source = tmp_path / "stored.c"
        source.write_text(f'{before}#include "{TYPE}"\n{CALLS[operation]}\n')
        built_main.link("gcc", SANITIZED, [source], program)
        found.append(subprocess.run(command, capture_output=True, text=True))
    assert found[0].returncode == 0, found[0].stderr
    assert "pages wrong" in found[1].stderr
