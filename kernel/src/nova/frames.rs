// SPDX-License-Identifier: MIT
//! What of physical memory the kernel's own domain has to give: everything but what the kernel keeps.

use alloc::vec::Vec;
use core::ops::Range;

use super::crd::{Rights, Span};
use crate::mem::fallible::{self, Exhausted};

/// The first frame behind all that can be named.
const END: u64 = 1 << 40;

/// The binary logarithm of the length of the longest span that begins at `start` and ends at `end` or before.
pub fn order(start: u64, end: u64) -> u8 {
    start.trailing_zeros().min((end - start).ilog2()) as u8
}

/// Frames without some of them, as spans; those of `read_only` cannot be written.
///
/// `kept` are ranges of frames in ascending order; they may overlap.
pub fn spans(kept: &[Range<u64>], read_only: &Range<u64>) -> Result<Vec<(Span, Rights)>, Exhausted> {
    let mut spans = Vec::new();
    let mut start = 0;
    for next in kept.iter().chain([&(END..END)]) {
        while start < next.start {
            let (end, rights) = if start < read_only.start {
                (next.start.min(read_only.start), Rights::MEMORY)
            } else if start < read_only.end {
                (next.start.min(read_only.end), Rights::MEMORY.without(Rights::WRITE))
            } else {
                (next.start, Rights::MEMORY)
            };
            let span = Span { base: start, order: order(start, end) };
            fallible::push(&mut spans, (span, rights))?;
            start = span.end();
        }
        start = start.max(next.end);
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_in_one_span_or_kept() {
        let kept = [0x10..0x13, 0x12..0x15, 0x100..0x101, 0xfee00..0xfee01];
        let spans = spans(&kept, &(0xc0..0x110)).unwrap();
        let mut next = 0;
        for (span, rights) in &spans {
            assert!(span.base >= next && span.base.is_multiple_of(span.count()), "{span:?}");
            assert!((next..span.base).all(|frame| kept.iter().any(|kept| kept.contains(&frame))));
            assert!(!kept.iter().any(|kept| kept.start < span.end() && span.base < kept.end), "{span:?}");
            let is_read_only = (0xc0..0x110).contains(&span.base);
            assert_eq!(*rights, Rights::new(if is_read_only { 5 } else { 7 }), "{span:?}");
            next = span.end();
        }
        assert_eq!(next, END);
        assert!(spans.len() < 150, "{}", spans.len());
    }

    #[test]
    fn nothing_kept_is_one_span() {
        assert_eq!(spans(&[], &(0..0)).unwrap(), [(Span { base: 0, order: 40 }, Rights::MEMORY)]);
        assert_eq!(order(0, 5), 2);
        assert_eq!(order(6, 64), 1);
    }
}
