"""Variants in one line of C, and where the contract lies that they include."""

import subprocess
from pathlib import Path

import pytest

from harness.native.build import build_variant
from harness.native.contract import (
    ABI,
    GIVES,
    PLAIN,
    TAKES,
)
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.toolchain import default_toolchain
from harness.native.variant import RUST_CONTRACT, VARIANTS
from tests.conftest import Run
from tests.test_operations import find_fault, two_maps

HEAD = """
#include "dirtyscan_macros.h"

static uint64_t bits(const uint64_t *words, uint64_t pages)
{
    uint64_t word, dirty = 0;

    for (word = 0; word < (pages + 63) / 64; word++) {
        dirty += (uint64_t)__builtin_popcountll(words[word]);
    }
    return dirty;
}

static inline uint64_t next(const uint64_t *words, uint64_t from, uint64_t pages)
{
    while (from < pages && !(words[from / 64] >> from % 64 & 1)) {
        from++;
    }
    return from;
}

static inline uint64_t list(const uint64_t *words, uint64_t pages, struct dirtyscan_range *ranges)
{
    uint64_t page, count = 0;

    for (page = next(words, 0, pages); page < pages; page = next(words, page, pages), count++) {
        ranges[count].first = page;
        while (page < pages && words[page / 64] >> page % 64 & 1) {
            page++;
        }
        ranges[count].pages = page - ranges[count].first;
    }
    return count;
}

static inline void take(uint64_t *words, uint64_t *taken, uint64_t pages)
{
    for (uint64_t word = 0; word < (pages + 63) / 64; word++) {
        taken[word] = __atomic_exchange_n(&words[word], 0, __ATOMIC_SEQ_CST);
    }
}

static inline uint64_t join(uint64_t *words, const uint64_t *log, uint64_t pages)
{
    const uint64_t before = bits(words, pages);

    for (uint64_t word = 0; word < (pages + 63) / 64; word++) {
        words[word] |= log[word];
    }
    return bits(words, pages) - before;
}

static inline uint64_t go_on(uint64_t *words, const uint64_t *log, uint64_t pages, uint64_t sent)
{
    uint64_t page, dirty;

    join(words, log, pages);
    dirty = bits(words, pages);
    for (page = next(words, 0, pages); page < pages && sent; page = next(words, page, pages)) {
        words[page / 64] &= ~(UINT64_C(1) << page % 64);
        sent--;
    }
    return dirty;
}

static inline void set(uint64_t *words, uint64_t first, uint64_t pages)
{
    for (; pages--; first++) {
        __atomic_fetch_or(&words[first / 64], UINT64_C(1) << first % 64, __ATOMIC_SEQ_CST);
    }
}

static inline uint64_t bytes_set(const uint8_t *bytes, uint64_t pages)
{
    uint64_t dirty = 0;

    while (pages--) {
        dirty += bytes[pages] >> 3 & 1;
    }
    return dirty;
}
"""
IN_C = {
    "count": "DIRTYSCAN_COUNT(mine, bits(words, pages))",
    "count of bytes": "DIRTYSCAN_COUNT_BYTES(mine, bytes_set(bytes, pages))",
    "count as said": 'DIRTYSCAN_COUNT(mine, bits(words, pages), .year = 2024, .requires = "");',
    "ranges": "DIRTYSCAN_RANGES(mine, list(words, pages, ranges->list))",
    "drain": "DIRTYSCAN_DRAIN(mine, take(words, taken, pages))",
    "drain giving": "DIRTYSCAN_DRAIN_GIVING(mine, take(words, taken->words, pages))",
    "mark": "DIRTYSCAN_MARK(mine, set(words, first, pages))",
    "merge": "DIRTYSCAN_MERGE(mine, join(words, log, pages))",
    "merge taking": "DIRTYSCAN_MERGE_TAKING(mine, join(words, log, pages) + (log[0] = 0))",
    "next": "DIRTYSCAN_NEXT(mine, next(words, from, pages))",
    "tick": "DIRTYSCAN_TICK(mine, go_on(words, log, pages, sent))",
}


@pytest.mark.parametrize("name", IN_C)
def test_a_line_of_c_is_a_variant(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.c"
    path.write_text(f"{HEAD}\n{IN_C[name]}\n")
    variant = find_variant(str(path), name.split()[0])
    assert find_fault(variant, two_maps()) is None
    said = load_variant(build_variant(variant, default_toolchain()).path).description
    assert said.summary == "mine"
    assert said.year == (2024 if name == "count as said" else 0)


@pytest.mark.parametrize("name", IN_C)
def test_compilers_have_nothing_to_say_of_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.c"
    path.write_text(f"{HEAD}\n{IN_C[name]}\n")
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-function")
    command = [*default_toolchain().command, *strict, f"-I{VARIANTS}", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_where_the_contract_lies_is_printed(dirtyscan: Run, tmp_path: Path) -> None:
    done = dirtyscan("variants", "--contract")
    assert done.returncode == 0
    header, macros, rust = map(Path, done.stdout.splitlines())
    assert header.parent == macros.parent
    assert rust.name == RUST_CONTRACT
    (tmp_path / "mine.c").write_text(f'{HEAD}\n#include "{header.name}"\n{IN_C["count"]}')
    command = [*default_toolchain().command, "-fsyntax-only", f"-I{header.parent}", "mine.c"]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0


def test_numbers_of_c_are_those_of_python(tmp_path: Path) -> None:
    source = tmp_path / "numbers.c"
    numbers = f"{ABI} && DIRTYSCAN_PLAIN == {PLAIN} && DIRTYSCAN_GIVES == {GIVES}"
    source.write_text(
        f'#include "dirtyscan.h"\n_Static_assert(DIRTYSCAN_ABI == {numbers} && '
        f'DIRTYSCAN_TAKES == {TAKES}, "other");\n'
    )
    command = [*default_toolchain().command, f"-I{VARIANTS}", "-fsyntax-only", str(source)]
    assert subprocess.run(command).returncode == 0
