//! An iterator over the positions of the set bits that clears each of them, and an adaptor that
//! joins neighbours.
//!
//! Source of the idea: Cloud Hypervisor's pull request 8859 (2026), which names BitmapIter of the
//! crate bit_ops (v0.2.3 here) as its origin, in the place of shift_positions.rs. Left out: the
//! guest address of the first page.
//! Cost: one load and compare for every 64 clean pages; a count of zeros, an and, and the joining
//! adaptor's step for every dirty page; a push for every range.

#[allow(dead_code)]
mod dirtyscan {
    include!(env!("DIRTYSCAN_RS"));
}
#[allow(dead_code)]
#[path = "../positions.rs"]
mod positions;
use positions::{joined, BitPositions};

dirtyscan::ranges!(
    bit_positions,
    |words: &[u64]| joined(BitPositions::of(words.iter().copied())).collect::<Vec<_>>(),
    year = 2026,
    summary = c"Cloud Hypervisor 8859: each set bit cleared, neighbours joined",
);
