"""``dirtyscan init``: a manifest and a first variant, in somebody's own repository."""

import argparse
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.native.manifest_tables import MANIFEST
from harness.presentation.console import console

_C = """\
/*
 * Counts dirty pages; call your own function in its place. dirtyscan.h is the whole contract:
 * 'dirtyscan variants --contract' says where it lies.
 */
#include "dirtyscan.h"

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t word, dirty = 0;

    for (word = 0; word < (map->pages + 63) / 64; word++) {
        dirty += (uint64_t)__builtin_popcountll(map->words[word]);
    }
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "bitmap",
    .summary = "one line that says what is new about it",
    .run.count = count,
};
"""
_RUST = """\
//! Counts dirty pages; call your own function in its place.

mod dirtyscan {
    #![allow(dead_code)]
    include!(env!("DIRTYSCAN_RS"));
}

use dirtyscan::{Map, Variant};

extern "C" fn count(map: &Map) -> u64 {
    map.words().iter().map(|word| u64::from(word.count_ones())).sum()
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant =
    Variant::of_bitmap(2026, c"count", c"what is new about it", count as *const _);
"""
_SOURCES = """\
# Variants of this repository.
# Measure them: dirtyscan bench mine; guard them: dirtyscan gate --against main
[variant.mine]
sources = ["{source}"]
# include = ["include"]       # folders of headers
# flags = ["-mpopcnt"]        # behind those of the toolchain
"""
_CARGO = """\
# Variants of this package.
# Measure them: dirtyscan bench mine; guard them: dirtyscan gate --against main
[variant.mine]
cargo = "."
example = "dirtyscan"
"""
_EXAMPLE = """
[[example]]
name = "dirtyscan"
crate-type = ["cdylib"]
"""
_PACKAGE = "Cargo.toml"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        f"Write {MANIFEST} and a first variant into the current folder: in Rust, as an example of "
        f"its package, where there is a {_PACKAGE}; in C otherwise. Nothing that is there is "
        f"replaced; a {_PACKAGE} gets an [[example]]."
    )
    parser.add_argument("--language", choices=("c", "rust"), help="whatever lies there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write what is not there yet."""
    package = Path(_PACKAGE)
    language = options.language or ("rust" if package.is_file() else "c")
    as_example = language == "rust" and package.is_file()
    if language == "c":
        source, text = Path("dirtyscan/mine.c"), _C
    else:
        source, text = Path("examples/dirtyscan.rs" if as_example else "dirtyscan/mine.rs"), _RUST
    manifest = _CARGO if as_example else _SOURCES.format(source=source)
    written = {Path(MANIFEST): manifest, source: text}
    for path in written:
        if path.exists():
            raise BadInput(f"{path} is there already; change that, or go to another folder.")
    if as_example:
        before = read_file(package).decode(errors="surrogateescape")
        written[package] = before.rstrip("\n") + "\n" + _EXAMPLE
    out = console()
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, content)
        out.print(f"written: {path}", soft_wrap=True, markup=False)
    out.print("measure it: dirtyscan bench mine --quick")
    return 0
