//! One bit at a time, in a loop over the 64 bits of each word.
//!
//! Source of the idea: Cloud Hypervisor's MemoryRangeTable::from_bitmap() until pull request 7468
//! (2021 to 2025), at the commit before ad9034ed1. What its caller did besides, making a vector of
//! the words first, is left out, and stands in loop_bits_two_maps.rs.
//! Cost: a shift, test and branch for every page; a push for every range.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[path = "../loop_bits.rs"]
mod by_bits;

dirtyscan::ranges!(
    loop_bits,
    |words: &[u64]| by_bits::list(words, std::hint::black_box(1)),
    year = 2021,
    summary = c"Cloud Hypervisor until 2025: every bit of every word",
);
