"""Variants of a user's own: measured beside the others, and named if they go astray."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.native.toolchain import default_toolchain
from harness.native.variant import VARIANTS
from tests.conftest import Run, store

SMALL = ["bench", "--trace", "small.trace", "--precision", "50%"]
SOURCE = """
#include <stdlib.h>
#include <unistd.h>
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    static int calls;
    uint64_t page, dirty = 0;

    for (page = 0; page < map->pages; page++) {
        dirty += (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    }
    calls++;
    %s
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "a test", .run.count = count,
};
"""
ASTRAY = {
    "wrong": ("dirty++;", "counts 600 dirty pages where there are 599"),
    "crashing": ("*(volatile int *)8 = 1;", "crashes (a fault at address 0x8)"),
    "aborting": ("abort();", "crashes (SIGABRT)"),
    "leaving": ("exit(0);", "ends the process (0)"),
    "changing": ("map->bytes[17] |= 1;", "changes the map (byte 17 of its bytes)"),
    "beyond": (
        "map->bytes[map->pages] = 1;",
        "writes outside its map (at byte 2000; its bytes end before byte 2000)",
    ),
    "before": (
        '__asm__ volatile("" : : "r"(map->bytes[-1]));',
        "reads outside its map (at byte -1; its bytes begin at 0)",
    ),
}
# Later than the trial, which calls a variant 13 times on these snapshots, and sooner than the 36
# calls that each copy of a variant gets at least, however few fill the clock on this machine.
LATE = {
    "crashing": ("if (calls > 24) *(volatile int *)8 = 1;", "crashes when timed"),
    "wrong": ("dirty += calls > 24;", "when timed"),
}


pytestmark = pytest.mark.usefixtures("two_processes")


@pytest.fixture(autouse=True)
def small_trace(tmp_path: Path) -> None:
    dirty = np.zeros((12, 2000), np.bool_)
    for number, snapshot in enumerate(dirty):
        snapshot[1 : 600 - 20 * number] = True
    store(tmp_path / "small.trace", list(dirty))


def write(path: Path, fault: str) -> Path:
    path.write_text(SOURCE % fault)
    return path


def measured(folder: Path) -> set[str]:
    rows = pd.read_csv(folder / "results/latest/speedups.csv")
    return set(rows["variant"])


def test_a_file_is_measured_beside_the_others(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("mine.c", "word_sum.c", "sub/mine.c"):
        write(tmp_path / name, "")
    library = tmp_path / "built.so"
    command = [*default_toolchain().command, "-shared", "-fPIC", f"-I{VARIANTS}"]
    subprocess.run([*command, str(tmp_path / "mine.c"), "-o", str(library)], check=True)
    names = ["mine.c", "word_sum.c", "word_sum", "sub/mine.c", "built.so"]
    done = dirtyscan(*SMALL, *(f"--variant={name}" for name in names))
    assert done.returncode == 0, done.stderr
    expected = {"mine", "word_sum.c", "word_sum", "sub/mine.c", "built.so", "page_by_page again"}
    assert measured(tmp_path) == expected


def failures(said: str) -> list[str]:
    """Return the lines about failures; on a slow machine there are some about progress, too."""
    return [line for line in said.splitlines() if line.startswith("failed: ")]


@pytest.mark.parametrize("name", ASTRAY)
def test_one_that_goes_astray_is_named(name: str, dirtyscan: Run, tmp_path: Path) -> None:
    fault, sentence = ASTRAY[name]
    write(tmp_path / "mine.c", fault)
    done = dirtyscan(*SMALL, "--variant", "mine.c", "--variant", "word_sum")
    assert done.returncode == 1
    assert failures(done.stderr) == [
        f"failed: variant mine (cc-era) {sentence}, in snapshot 0 of test-imported"
    ]
    assert measured(tmp_path) == {"word_sum", "page_by_page again"}


def test_one_that_hangs_is_named(dirtyscan: Run, tmp_path: Path) -> None:
    write(tmp_path / "mine.c", "for (;;) pause();")
    done = dirtyscan(*SMALL, "--variant", "mine.c", "--variant", "word_sum")
    assert done.returncode == 1
    assert "variant mine (cc-era) hangs (no result after 10 s), in snapshot 0" in done.stderr
    assert measured(tmp_path) == {"word_sum", "page_by_page again"}


@pytest.mark.parametrize("name", LATE)
def test_one_that_goes_astray_later_is_named_too(name: str, dirtyscan: Run, tmp_path: Path) -> None:
    fault, sentence = LATE[name]
    write(tmp_path / "mine.c", fault)
    done = dirtyscan(*SMALL, "--variant", "mine.c", "--variant", "word_sum")
    assert done.returncode == 1
    (line,) = failures(done.stderr)
    assert line.startswith("failed: variant mine (cc-era) ")
    assert sentence in line
    assert measured(tmp_path) == {"word_sum", "page_by_page again"}


def test_one_that_is_not_a_variant_is_refused(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text("int nothing;")
    done = dirtyscan(*SMALL, "--variant", "mine.c")
    assert done.returncode == 2
    assert "is not a variant" in done.stderr
    (tmp_path / "mine.c").write_text("int nothing")
    done = dirtyscan(*SMALL, "--variant", "mine.c")
    assert done.returncode == 2
    assert "mine.c does not compile with cc-era:" in done.stderr
    text = (SOURCE % "").replace('"count", .map', '"merge", .map')
    (tmp_path / "mine.c").write_text(text)
    done = dirtyscan(*SMALL, "--operation", "count", "--variant", "mine.c")
    assert done.returncode == 2
    assert "mine.c is one of operation 'merge' and not of count" in done.stderr
    (tmp_path / "mine.c").write_text((SOURCE % "").replace('"byte map"', '"tree"'))
    done = dirtyscan(*SMALL, "--variant", "mine.c")
    assert done.returncode == 2
    assert "is for a 'tree', which is no representation of a dirty map" in done.stderr


def test_one_that_crashes_when_it_is_loaded_is_refused(dirtyscan: Run, tmp_path: Path) -> None:
    text = "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }"
    (tmp_path / "mine.c").write_text(text + SOURCE % "")
    done = dirtyscan(*SMALL, "--variant", "mine.c")
    assert done.returncode == 2
    assert "ends the process with signal SIGABRT while it is loaded" in done.stderr
