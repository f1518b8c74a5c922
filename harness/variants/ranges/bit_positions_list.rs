//! bit_positions.rs into a list that is reused.
//!
//! Source of the idea: Cloud Hypervisor's pull request 8859 (2026) with one half of item 10 of
//! issue 8899, the reused buffer. Beside word_runs.rs it shows what the other half, whole runs,
//! does alone. Nobody has published this one.
//! Cost: as there, without the growing and the fresh memory of a vector.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[allow(dead_code)]
#[path = "../positions.rs"]
mod positions;
use dirtyscan::{Map, Ranges, Variant};
use positions::{joined, BitPositions};

extern "C" fn ranges(map: &Map, out: &mut Ranges) -> u64 {
    let capacity = map.pages as usize / 2 + 1;
    let list = unsafe { std::slice::from_raw_parts_mut(out.list, capacity) };
    let found = joined(BitPositions::of(map.words().iter().copied()));

    found.zip(list).map(|(range, place)| *place = range).count() as u64
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static dirtyscan_variant: Variant = Variant::of_bitmap(
    2026,
    c"ranges",
    c"Cloud Hypervisor 8859 with a reused list",
    ranges as *const _,
);
