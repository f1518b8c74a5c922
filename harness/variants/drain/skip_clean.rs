//! A load of every word, and an atomic exchange only of those that are not 0.
//!
//! Source of the idea: the first step of rust-vmm's pull request 158 (2026), without its vector,
//! which collect_dirty.rs has.
//! Cost: one load and compare for every 64 clean pages; an atomic read-modify-write for every word
//! with a dirty page.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
use std::sync::atomic::Ordering;

extern "C" fn drain(map: &mut Map, taken: *mut u64) {
    let words = map.atomic_words();
    let taken = unsafe { std::slice::from_raw_parts_mut(taken, words.len()) };

    for (word, taken) in words.iter().zip(taken) {
        if word.load(Ordering::Relaxed) != 0 {
            *taken = word.swap(0, Ordering::SeqCst);
        }
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"drain",
    c"rust-vmm 158, first step: words that are 0 are only read",
    drain as *const _,
);
