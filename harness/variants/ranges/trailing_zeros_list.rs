//! One set bit at a time, as in trailing_zeros.rs, into a list that is reused.
//!
//! Source of the idea: Cloud Hypervisor's pull request 8859 (2026) with one half of item 10 of
//! issue 8899, the reused buffer. Beside word_runs.rs it shows what the other half, whole runs,
//! does alone.
//! Cost: one load and compare for every 64 clean pages; a count of zeros and a compare for every
//! dirty page.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
use dirtyscan::{Map, Range, Ranges, Variant};

extern "C" fn ranges(map: &Map, out: &mut Ranges) -> u64 {
    let capacity = map.pages as usize / 2 + 1;
    let list = unsafe { std::slice::from_raw_parts_mut(out.list, capacity) };
    let mut count = 0;

    for (index, &word) in map.words().iter().enumerate() {
        let mut word = word;
        while word != 0 {
            let page = index as u64 * 64 + word.trailing_zeros() as u64;
            word &= word - 1;
            if count > 0 && list[count - 1].first + list[count - 1].pages == page {
                list[count - 1].pages += 1;
            } else {
                list[count] = Range { first: page, pages: 1 };
                count += 1;
            }
        }
    }
    count as u64
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"ranges",
    c"Cloud Hypervisor 8859 with a reused list",
    ranges as *const _,
);
