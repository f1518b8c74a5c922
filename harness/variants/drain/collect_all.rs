//! An atomic exchange of every word, into a vector that is made for it.
//!
//! Source of the idea: rust-vmm's AtomicBitmap::get_and_reset() as it was until pull request 158
//! (2021 to 2026), at vm-memory 6de1c4b.
//! Cost: one atomic read-modify-write for every 64 pages, whatever the map holds, and a fresh
//! vector.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use std::sync::atomic::{AtomicU64, Ordering};

fn take(word: &AtomicU64) -> u64 {
    word.fetch_and(0, Ordering::SeqCst)
}

dirtyscan::drain!(
    collect_all,
    |words: &[AtomicU64]| words.iter().map(take).collect(),
    year = 2021,
    summary = c"rust-vmm until 2026: an atomic operation on every word, into a vector",
);
