//! An iterator over the positions of the set bits, whose neighbours are joined afterwards.
//!
//! Source of the idea: Cloud Hypervisor's pull request 7468 (2025): an iterator that skips words of
//! 0, and an adaptor that coalesces what it yields into ranges.
//! Cost: one load and compare for every 64 clean pages; an iterator's step for every dirty page.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Range, Ranges, Variant};

/// Yields the position of every set bit.
struct BitPositions<I: Iterator<Item = u64>> {
    words: I,
    word: u64,
    next_base: u64,
}

impl<I: Iterator<Item = u64>> Iterator for BitPositions<I> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.word == 0 {
            self.word = self.words.next()?;
            self.next_base += 64;
        }
        let bit = self.word.trailing_zeros() as u64;
        self.word &= self.word - 1;
        Some(self.next_base - 64 + bit)
    }
}

/// Joins neighbours of an iterator, as far as they can be joined.
struct Coalesce<I: Iterator<Item = Range>> {
    ranges: I,
    held: Option<Range>,
}

impl<I: Iterator<Item = Range>> Iterator for Coalesce<I> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let mut held = self.held.take().or_else(|| self.ranges.next())?;
        for range in self.ranges.by_ref() {
            if held.first + held.pages == range.first {
                held.pages += range.pages;
            } else {
                self.held = Some(range);
                break;
            }
        }
        Some(held)
    }
}

extern "C" fn ranges(map: &Map, out: &mut Ranges) -> u64 {
    let words = map.words().iter().copied();
    let positions = BitPositions { words, word: 0, next_base: 0 };
    let ranges = positions.map(|first| Range { first, pages: 1 });
    let table: Vec<Range> = Coalesce { ranges, held: None }.collect();
    out.give(table)
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2025,
    c"ranges",
    c"Cloud Hypervisor 7468: an iterator over set bits, neighbours joined",
    ranges as *const _,
);
