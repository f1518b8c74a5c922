// Iterators over the positions of set bits, and their joining into ranges: what variants of
// "ranges" that stand for Cloud Hypervisor's MemoryRangeTable share. Not part of the contract.

use crate::dirtyscan::Range;
use std::ops;

/// Pull request 7468: the word at hand stays as it is, and is shifted anew for each of its bits.
pub struct ShiftedPositions<I> {
    words: I,
    /// How many words are done with.
    done: u32,
    /// The word at hand, and the bit to go on from.
    at_hand: Option<(u64, u32)>,
}

impl<I: Iterator<Item = u64>> ShiftedPositions<I> {
    pub fn of(words: I) -> Self {
        ShiftedPositions { words, done: 0, at_hand: None }
    }
}

impl<I: Iterator<Item = u64>> Iterator for ShiftedPositions<I> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if self.at_hand.is_none() {
                self.at_hand = self.words.next().map(|word| (word, 0));
            }
            let (word, from) = self.at_hand?;
            if word != 0 && from < 64 {
                let rest = word >> from;
                if rest != 0 {
                    let bit = from + rest.trailing_zeros();
                    self.at_hand = Some((word, bit + 1));
                    let position = (self.done as u64 * 64).checked_add(bit as u64);
                    return Some(position.expect("no map has so many pages"));
                }
            }
            self.at_hand = None;
            self.done += 1;
        }
    }
}

/// Pull request 8859: the lowest bit of the word at hand is cleared.
pub struct BitPositions<I> {
    words: I,
    word: u64,
    /// The position of the word's first bit.
    base: usize,
}

impl<I: Iterator<Item = u64>> BitPositions<I> {
    pub fn of(mut words: I) -> Self {
        let word = words.next().unwrap_or(0);
        BitPositions { words, word, base: 0 }
    }
}

impl<I: Iterator<Item = u64>> Iterator for BitPositions<I> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        while self.word == 0 {
            self.word = self.words.next()?;
            self.base += 64;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some((self.base + bit) as u64)
    }
}

/// Joins neighbours of an iterator over positions as far as they can be joined.
struct Joined<I> {
    positions: I,
    /// The range that could not be joined to the one before; None before the first.
    held: Option<Option<ops::Range<u64>>>,
    size: u64,
}

impl<I: Iterator<Item = u64>> Iterator for Joined<I> {
    type Item = Range;

    #[inline(always)] // as the original's whole chain is, by itself
    fn next(&mut self) -> Option<Range> {
        let mut ranges = self.positions.by_ref().map(|first| first..first + 1);
        let first = match self.held.replace(None) {
            Some(held) => held?,
            None => ranges.next()?,
        };
        let found = ranges.try_fold(first, |joined, next| {
            if joined.end == next.start {
                Ok(joined.start..next.end)
            } else {
                Err((joined, next))
            }
        });
        let range = found.unwrap_or_else(|(joined, next)| {
            self.held = Some(Some(next));
            joined
        });
        let pages = range.end - range.start;
        Some(Range { first: range.start * self.size, pages: pages * self.size })
    }
}

/// The ranges of positions that come in their order, in units of a number that the compiler does not
/// know, as the original has them in bytes of guest memory: 1.
pub fn joined(positions: impl Iterator<Item = u64>) -> impl Iterator<Item = Range> {
    Joined { positions, held: None, size: std::hint::black_box(1) }
}
