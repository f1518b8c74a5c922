//! per_word.rs with a path of its own for a single page.
//!
//! Source of the idea: rust-vmm's pull request 130 (2026): a mask for each word of the range, and
//! marking a single page left as it was. Its code was not at hand, only its description. Left out,
//! as in per_page.rs: the divisions of the address and the length by the size of a page.
//! Cost: one atomic read-modify-write for every word that the range touches.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
use std::sync::atomic::Ordering;

extern "C" fn mark(map: &mut Map, first: u64, pages: u64) {
    let words = map.atomic_words();

    if pages == 1 {
        if first < map.pages {
            words[(first >> 6) as usize].fetch_or(1 << (first & 63), Ordering::SeqCst);
        }
        return;
    }
    let end = (first + pages).min(map.pages);
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
