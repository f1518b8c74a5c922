// The loop over the bits of each word of Cloud Hypervisor's MemoryRangeTable::from_bitmap() until pull
// request 7468, which variants of "ranges" share. Not part of the contract.

use crate::dirtyscan::Range;

/// Lists ranges in units of `size`, as the original does in bytes: by 1, which no compiler may know.
#[inline(never)]
pub fn list(words: &[u64], size: u64) -> Vec<Range> {
    let mut table: Vec<Range> = Vec::new();
    let mut open: Option<Range> = None;

    for (index, word) in words.iter().enumerate() {
        for bit in 0..64 {
            let first = (index as u64 * 64 + bit) * size;
            if (word >> bit) & 1 != 0 {
                match &mut open {
                    Some(range) => range.pages += size,
                    None => open = Some(Range { first, pages: size }),
                }
            } else if let Some(range) = open.take() {
                table.push(range);
            }
        }
    }
    table.extend(open);
    table
}
