"""The contract in Rust: variants in one line, types with storage of their own, and layouts."""

import ctypes
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.native.build import build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.contract import (
    ABI,
    GIVES,
    PLAIN,
    TAKES,
    MapStruct,
    OutputStruct,
    RangesStruct,
    TakenStruct,
    VariantStruct,
)
from harness.native.finding import find_variant
from harness.native.loaded_variant import load_variant
from harness.native.toolchain import default_toolchain, rust_toolchain
from harness.native.variant import RUST_CONTRACT, VARIANTS, Variant
from tests.test_operations import find_fault, two_maps
from tests.test_stored import timed

pytestmark = pytest.mark.skipif(bool(rust_obstacle()), reason=rust_obstacle() or "rustc is here")
RUST = """
#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// As rust-vmm has it.
struct AtomicBitmap {
    map: Vec<AtomicU64>,
    log: Vec<u64>,
    pages: u64,
    listed: Vec<dirtyscan::Range>,
}

#[allow(dead_code)]
impl AtomicBitmap {
    fn take(&self) -> Vec<u64> {
        self.map.iter().map(|word| word.fetch_and(0, SeqCst)).collect()
    }

    fn mark(&self, first: u64, pages: u64) {
        mark(&self.map, first, pages);
    }

    fn is_set(&self, page: u64) -> bool {
        self.map[page as usize / 64].load(SeqCst) >> (page % 64) & 1 != 0
    }
}

impl dirtyscan::Storage for AtomicBitmap {
    fn prepare(map: &dirtyscan::Map, log: Option<&[u64]>) -> Self {
        AtomicBitmap {
            map: map.words().iter().map(|&word| AtomicU64::new(word)).collect(),
            log: log.unwrap_or_default().to_vec(),
            pages: map.pages,
            listed: Vec::new(),
        }
    }

    fn finish(self, map: &mut dirtyscan::Map, output: &dirtyscan::Output) {
        if !output.ranges.is_null() {
            output.put_ranges(map, &self.listed);
        }
        for (to, from) in map.words_mut().iter_mut().zip(self.map) {
            *to = from.into_inner()FAULT;
        }
    }

    const MARK: Option<fn(&Self, u64, u64)> = Some(Self::mark);
    const DRAIN: Option<fn(&Self) -> Vec<u64>> = Some(Self::take);
}

#[allow(dead_code)]
fn mark(words: &[AtomicU64], first: u64, pages: u64) {
    for page in first..first + pages {
        words[page as usize / 64].fetch_or(1 << (page % 64), SeqCst);
    }
}

#[allow(dead_code)]
fn list(pages: u64, is_set: impl Fn(u64) -> bool) -> Vec<dirtyscan::Range> {
    let mut found: Vec<dirtyscan::Range> = Vec::new();
    for page in (0..pages).filter(|&page| is_set(page)) {
        match found.last_mut() {
            Some(last) if last.first + last.pages == page => last.pages += 1,
            _ => found.push(dirtyscan::Range { first: page, pages: 1 }),
        }
    }
    found
}

#[allow(dead_code)]
fn merge(words: &mut [u64], log: &[u64]) -> u64 {
    let added = words.iter().zip(log).map(|(word, log)| (log & !word).count_ones() as u64).sum();
    words.iter_mut().zip(log).for_each(|(word, log)| *word |= log);
    added
}

fn tick(words: &mut [u64], log: &[u64], sent: u64) -> u64 {
    merge(words, log);
    let dirty = words.iter().map(|word| word.count_ones() as u64).sum();
    for _ in 0..sent.min(dirty) {
        let word = words.iter_mut().find(|word| **word != 0).unwrap();
        *word &= *word - 1;
    }
    dirty
}
"""
IN_RUST = {
    "count": "count!(mine, |words| words.iter().map(|w| w.count_ones() as u64).sum());",
    "count of": "count!(mine for AtomicBitmap, |map| (0..map.pages).filter(|&p| map.is_set(p))"
    ".count() as u64, year = 2024);",
    "ranges": "ranges!(mine, |words| list(words.len() as u64 * 64, |p| "
    "words[p as usize / 64] >> (p % 64) & 1 != 0));",
    "ranges of": "ranges!(mine for AtomicBitmap, |map| { map.listed = list(map.pages, |p| "
    "map.is_set(p)); map.listed.len() as u64 });",
    "drain": "drain!(mine, |words| words.iter().map(|word| word.swap(0, SeqCst)).collect());",
    "drain of": "drain!(mine for AtomicBitmap, |map| map.take());",
    "drain into": "drain_into!(mine, |words, taken| for (to, from) in taken.iter_mut().zip(words) "
    "{ *to = from.swap(0, SeqCst); });",
    "drain into of": "drain_into!(mine for AtomicBitmap, |map, taken| "
    "taken.copy_from_slice(&map.take()));",
    "mark": "mark!(mine, mark);",
    "mark of": "mark!(mine for AtomicBitmap, |map, first, pages| map.mark(first, pages));",
    "merge": "merge!(mine, merge);",
    "merge of": "merge!(mine for AtomicBitmap, |map, _| { let mut words = map.take(); "
    "let added = merge(&mut words, &map.log); "
    "map.map = words.into_iter().map(AtomicU64::new).collect(); added });",
    "merge taking": "merge_taking!(mine, |words, log| { let added = merge(words, log); "
    "log.fill(0); added });",
    "tick": "tick!(mine, tick);",
    "next": "next!(mine, |words, from| (from..words.len() as u64 * 64).find(|&p| "
    "words[p as usize / 64] >> (p % 64) & 1 != 0));",
    "next of": "next!(mine for AtomicBitmap, |map, from| (from..map.pages).find(|&p| "
    "map.is_set(p)));",
}


def write_rust(path: Path, name: str, fault: str = "") -> Variant:
    text = RUST.replace("FAULT", fault)
    path.write_text(f"{text}\ndirtyscan::{IN_RUST[name]}\n", encoding="utf-8")
    return find_variant(str(path), name.split()[0])


@pytest.mark.parametrize("name", IN_RUST)
def test_a_line_of_rust_is_a_variant(name: str, tmp_path: Path) -> None:
    variant = write_rust(tmp_path / "mine.rs", name)
    assert find_fault(variant, two_maps()) is None
    said = load_variant(build_variant(variant, default_toolchain()).path).description
    assert said.summary == "mine"
    assert said.year == (2024 if name == "count of" else 0)
    _, results, snapshots = timed([variant], pages=1000, visits=2)
    assert (results == snapshots.right).all()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("count of", "leaves page 0 as dirty where it is not"),
        ("drain of", "leaves page 0 as dirty where it is not"),
        ("mark of", "counts 36 dirty pages where there are 20"),
    ],
)
def test_what_rust_reads_back_is_checked(name: str, sentence: str, tmp_path: Path) -> None:
    found = find_fault(write_rust(tmp_path / "mine.rs", name, " | 1"), two_maps())
    assert found is not None
    assert found.what == sentence


STRUCTS: Mapping[str, type[ctypes.Structure]] = {
    "Map": MapStruct,
    "Ranges": RangesStruct,
    "Taken": TakenStruct,
    "Output": OutputStruct,
    "Variant": VariantStruct,
}


def test_structures_of_rust_are_those_of_c(tmp_path: Path) -> None:
    """Python's are compared with C's in test_structs.py."""
    included = '#[allow(dead_code)] mod dirtyscan { include!(env!("DIRTYSCAN_RS")); }'
    lines = [included, "use dirtyscan::*;", "fn main() {"]
    expected = []
    for name, struct in STRUCTS.items():
        lines.append(f'println!("{name} {{}}", std::mem::size_of::<{name}>());')
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field in (field[0] for field in struct._fields_):
            offset = f"std::mem::offset_of!({name}, {field})"
            lines.append(f'println!("{name}.{field} {{}}", {offset});')
            expected.append(f"{name}.{field} {getattr(struct, field).offset}")
    lines.append('println!("ABI {} {} {} {}", ABI, PLAIN, GIVES, TAKES);')
    expected.append(f"ABI {ABI} {PLAIN} {GIVES} {TAKES}")
    source, program = tmp_path / "layouts.rs", tmp_path / "layouts"
    source.write_text("\n".join([*lines, "}"]), encoding="utf-8")
    command = [*rust_toolchain("release").command, "--edition", "2021", str(source)]
    environment = {**os.environ, "DIRTYSCAN_RS": str(VARIANTS / RUST_CONTRACT)}
    built = subprocess.run(
        [*command, "-o", str(program)], env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected
