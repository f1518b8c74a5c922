//! An atomic exchange of every word.
//!
//! Source of the idea: rust-vmm's AtomicBitmap::get_and_reset() as it was until pull request 158
//! (2021 to 2026), without the vector that it collects into, which
//! collect_all.rs has.
//! Cost: one atomic read-modify-write for every 64 pages, whatever the map holds.

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
        *taken = word.fetch_and(0, Ordering::SeqCst);
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2021,
    c"drain",
    c"rust-vmm until 2026: an atomic operation on every word",
    drain as *const _,
);
