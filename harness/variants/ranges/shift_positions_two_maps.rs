//! shift_positions.rs as its caller has it: on the words of two maps, or'ed as they are read.
//!
//! Source of the idea: Cloud Hypervisor's dirty_log() since pull request 7468 (2025), at commit
//! a7fa3a0c8, and the benchmark that its figures are from (github.com/blitz/chv-bitmap-bench): what
//! the kernel has logged and what the hypervisor itself has written are two maps. Here both hold
//! the same, as in that benchmark, and are filled before a call's time begins.
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
use positions::{joined, ShiftedPositions};
use two_maps::TwoMaps;

dirtyscan::ranges!(
    shift_positions_two_maps for TwoMaps,
    |maps: &mut TwoMaps| joined(ShiftedPositions::of(maps.words())).collect::<Vec<_>>(),
    year = 2025,
    summary = c"Cloud Hypervisor 7468 as called: the same over two maps, or'ed as they are read",
);
