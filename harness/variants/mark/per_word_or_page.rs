//! per_word.rs with a path of its own for a single page.
//!
//! Source of the idea: rust-vmm's pull request 130 (2026): a mask for each word of the range, and
//! marking a single page left as it was. Its code was not at hand, only its description; bytes are
//! turned into pages as in per_page.rs.
//! Cost: two divisions a call, and one atomic read-modify-write for every word that the range
//! touches.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
use std::sync::atomic::Ordering;

extern "C" fn mark(map: &mut Map, first: u64, pages: u64) {
    let words = map.atomic_words();
    let (start, length) = (first * map.page_size, pages * map.page_size);
    let first = start / map.page_size;
    let last = start.saturating_add(length - 1) / map.page_size;

    if first == last {
        if first < map.pages {
            words[(first >> 6) as usize].fetch_or(1 << (first & 63), Ordering::SeqCst);
        }
        return;
    }
    let end = (last + 1).min(map.pages);
    let mut page = first;
    while page < end {
        let bit = page & 63;
        let here = (64 - bit).min(end - page);
        let mask = (u64::MAX >> (64 - here)) << bit;
        words[(page >> 6) as usize].fetch_or(mask, Ordering::SeqCst);
        page += here;
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"mark",
    c"rust-vmm 130: an atomic or for every word, and a single page as before",
    mark as *const _,
);
