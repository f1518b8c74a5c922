//! Cache lines that are clean are left by one test of their eight words; into a vector of zeros
//! that is made for it.
//!
//! Source of the idea: the second step of rust-vmm's pull request 158 (2026). Its code was not at
//! hand, only its description.
//! Cost: eight loads, seven ors and one branch for every 512 clean pages; an atomic
//! read-modify-write for every word with a dirty page; and a fresh vector, zeros of which nobody
//! writes where all is clean.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use std::sync::atomic::{AtomicU64, Ordering};

fn take(words: &[AtomicU64]) -> Vec<u64> {
    let mut taken = vec![0; words.len()];

    for (line, taken) in words.chunks(8).zip(taken.chunks_mut(8)) {
        if line.iter().fold(0, |any, word| any | word.load(Ordering::Relaxed)) != 0 {
            for (word, taken) in line.iter().zip(taken) {
                if word.load(Ordering::Relaxed) != 0 {
                    *taken = word.fetch_and(0, Ordering::SeqCst);
                }
            }
        }
    }
    taken
}

dirtyscan::drain!(
    collect_lines,
    |words: &[AtomicU64]| take(words),
    year = 2026,
    summary = c"rust-vmm 158: clean words are skipped, then clean cache lines, into a vector",
);
