//! One bit at a time, in a loop over the 64 bits of each word.
//!
//! Source of the idea: Cloud Hypervisor's MemoryRangeTable until pull request 7468 (2021 to 2025).
//! What its caller did besides, making a vector of the words first, is left out.
//! Cost: a shift, test and branch for every page; a push for every range.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Range, Ranges, Variant};

extern "C" fn ranges(map: &Map, out: &mut Ranges) -> u64 {
    let mut table: Vec<Range> = Vec::new();
    let mut open: Option<Range> = None;

    for (index, word) in map.words().iter().enumerate() {
        for bit in 0..64 {
            if (word >> bit) & 1 != 0 {
                match &mut open {
                    Some(range) => range.pages += 1,
                    None => {
                        open = Some(Range { first: index as u64 * 64 + bit, pages: 1 });
                    }
                }
            } else if let Some(range) = open.take() {
                table.push(range);
            }
        }
    }
    table.extend(open);
    out.give(table)
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2021,
    c"ranges",
    c"Cloud Hypervisor until 2025: every bit of every word",
    ranges as *const _,
);
