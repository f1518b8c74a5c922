//! Runs of dirty pages in a bitmap, one bit a page.

/// A run of dirty pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub first: u64,
    pub pages: u64,
}

/// Returns every run of set bits, as long as it can be, lowest first.
pub fn ranges(words: &[u64]) -> Vec<Range> {
    let mut found: Vec<Range> = Vec::new();
    for (place, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            let page = place as u64 * 64 + u64::from(rest.trailing_zeros());
            match found.last_mut() {
                Some(last) if last.first + last.pages == page => last.pages += 1,
                _ => found.push(Range {
                    first: page,
                    pages: 1,
                }),
            }
            rest &= rest - 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_in_the_next_word() {
        let run = Range {
            first: 63,
            pages: 2,
        };
        assert_eq!(ranges(&[1 << 63, 1]), [run]);
    }
}
