//! An iterator over the positions of the set bits that shifts its word anew for each of them, and
//! an adaptor that joins neighbours.
//!
//! Source of the idea: Cloud Hypervisor's pull request 7468 (2025), as it is at commit a7fa3a0c8:
//! the word at hand is an optional pair of the word and the bit to go on from, and is not changed;
//! words are counted in 32 bits; each position becomes a range of one, and these are coalesced.
//! Left out: the guest address of the first page.
//! Cost: a test of the pair and two of the word for every 64 clean pages; a shift, a count of
//! zeros, a checked addition and the joining adaptor's step for every dirty page; a push for every
//! range.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[allow(dead_code)]
#[path = "../positions.rs"]
mod positions;
use positions::{joined, ShiftedPositions};

dirtyscan::ranges!(
    shift_positions,
    |words: &[u64]| joined(ShiftedPositions::of(words.iter().copied())).collect::<Vec<_>>(),
    year = 2025,
    summary =
        c"Cloud Hypervisor 7468: a word shifted anew for each of its set bits, neighbours joined",
);
