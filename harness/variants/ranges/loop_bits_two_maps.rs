//! loop_bits.rs as its caller had it: the words of two maps are or'ed into a vector first.
//!
//! Source of the idea: Cloud Hypervisor's dirty_log() until pull request 7468 (2021 to 2025), at
//! the commit before ad9034ed1; shift_positions_two_maps.rs says what the maps are.
//! Cost: as there, and a fresh vector of all words.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[path = "../loop_bits.rs"]
mod by_bits;
#[path = "../two_maps.rs"]
mod two_maps;
use two_maps::TwoMaps;

fn list(words: Vec<u64>) -> Vec<dirtyscan::Range> {
    by_bits::list(&words, std::hint::black_box(1))
}

dirtyscan::ranges!(
    loop_bits_two_maps for TwoMaps,
    |maps: &mut TwoMaps| list(maps.words().collect()),
    year = 2021,
    summary = c"Cloud Hypervisor until 2025 as called: two maps or'ed in a vector, then every bit",
);
