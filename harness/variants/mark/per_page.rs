//! An atomic or for every page.
//!
//! Source of the idea: rust-vmm's AtomicBitmap::mark_dirty() until pull request 130 (2021 to 2026), at
//! vm-memory 6de1c4b: it is given bytes of guest memory, and divides by the size of a page.
//! Cost: two divisions a call, and one atomic read-modify-write for every page, all on the same few
//! words.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Variant};
use std::sync::atomic::Ordering;

extern "C" fn mark(map: &mut Map, first: u64, pages: u64) {
    let words = map.atomic_words();
    let (start, length) = (first * map.page_size, pages * map.page_size);
    let last = start.saturating_add(length - 1) / map.page_size;

    for page in start / map.page_size..=last {
        if page >= map.pages {
            break;
        }
        words[(page >> 6) as usize].fetch_or(1 << (page & 63), Ordering::SeqCst);
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2021,
    c"mark",
    c"rust-vmm until 2026: an atomic or for every page",
    mark as *const _,
);
