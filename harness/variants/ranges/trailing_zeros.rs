//! One set bit at a time, found by its trailing zeros and joined to the range before.
//!
//! Source of the idea: Cloud Hypervisor's pull request 8859 (2026).
//! Cost: one load and compare for every 64 clean pages; a count of zeros and a compare for every
//! dirty page; a push for every range.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Range, Ranges, Variant};

extern "C" fn ranges(map: &Map, out: &mut Ranges) -> u64 {
    let mut table: Vec<Range> = Vec::new();

    for (index, &word) in map.words().iter().enumerate() {
        let mut word = word;
        while word != 0 {
            let page = index as u64 * 64 + word.trailing_zeros() as u64;
            word &= word - 1;
            match table.last_mut() {
                Some(last) if last.first + last.pages == page => last.pages += 1,
                _ => table.push(Range { first: page, pages: 1 }),
            }
        }
    }
    out.give(table)
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"ranges",
    c"Cloud Hypervisor 8859: each set bit by its trailing zeros",
    ranges as *const _,
);
