//! A load of every word, and an atomic exchange only of those that are not 0, into a vector that is
//! made for it.
//!
//! Source of the idea: the first step of rust-vmm's pull request 158 (2026). Its code was not at
//! hand, only its description.
//! Cost: one load, compare and store for every 64 clean pages; an atomic read-modify-write for
//! every word with a dirty page; and a fresh vector.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use std::sync::atomic::{AtomicU64, Ordering};

fn take(word: &AtomicU64) -> u64 {
    match word.load(Ordering::SeqCst) {
        0 => 0,
        _ => word.fetch_and(0, Ordering::SeqCst),
    }
}

dirtyscan::drain!(
    collect_dirty,
    |words: &[AtomicU64]| words.iter().map(take).collect(),
    year = 2026,
    summary = c"rust-vmm 158, first step: words that are 0 are only read, into a vector",
);
