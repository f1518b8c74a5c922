//! Cache lines that are clean are left by one test of their eight words.
//!
//! Source of the idea: rust-vmm's pull request 158 (2026), which skips clean words and then whole
//! cache lines, without its vector, which collect_lines.rs has.
//! Cost: eight loads, seven ors and one branch for every 512 clean pages; an atomic read-modify-
//! write for every word with a dirty page.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
use std::sync::atomic::{AtomicU64, Ordering};

fn take(words: &[AtomicU64], taken: &mut [u64]) {
    for (word, taken) in words.iter().zip(taken) {
        if word.load(Ordering::Relaxed) != 0 {
            *taken = word.swap(0, Ordering::SeqCst);
        }
    }
}

extern "C" fn drain(map: &mut Map, taken: *mut u64) {
    let words = map.atomic_words();
    let taken = unsafe { std::slice::from_raw_parts_mut(taken, words.len()) };

    for (line, taken) in words.chunks(8).zip(taken.chunks_mut(8)) {
        let any = line.iter().fold(0, |any, word| any | word.load(Ordering::Relaxed));
        if any != 0 {
            take(line, taken);
        }
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"drain",
    c"rust-vmm 158: clean words are skipped, then clean cache lines",
    drain as *const _,
);
