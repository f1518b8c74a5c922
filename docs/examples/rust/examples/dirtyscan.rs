//! What dirtyscan measures of this package: `ranges`, as it is built for release.

mod dirtyscan {
    #![allow(dead_code)]
    include!(env!("DIRTYSCAN_RS"));
}

use dirtyscan::{Map, Range, Ranges, Variant};

extern "C" fn list(map: &Map, ranges: &mut Ranges) -> u64 {
    let found = dirty_ranges::ranges(map.words());
    ranges.give(found.into_iter().map(|run| Range { first: run.first, pages: run.pages }).collect())
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant =
    Variant::of_bitmap(2026, c"ranges", c"the package's own ranges", list as *const _);
