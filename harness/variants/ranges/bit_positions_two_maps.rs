//! bit_positions.rs as its caller has it: on the words of two maps, or'ed as they are read.
//!
//! Source of the idea: Cloud Hypervisor's dirty_log() since pull request 8859 (2026);
//! shift_positions_two_maps.rs says what the maps are.
//! Cost: as there, with two loads and an or for every word.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[allow(dead_code)]
#[path = "../positions.rs"]
mod positions;
#[path = "../two_maps.rs"]
mod two_maps;
use positions::{joined, BitPositions};
use two_maps::TwoMaps;

dirtyscan::ranges!(
    bit_positions_two_maps for TwoMaps,
    |maps: &mut TwoMaps| joined(BitPositions::of(maps.words())).collect::<Vec<_>>(),
    year = 2026,
    summary = c"Cloud Hypervisor 8859 as called: the same over two maps, or'ed as they are read",
);
