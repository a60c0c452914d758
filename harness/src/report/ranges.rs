// SPDX-License-Identifier: MIT
//! Values by ranges that a picture has room for.

use sums::spread::Spread;

/// The most ranges of equal width.
const MOST: u64 = 48;

/// How many values lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first value of the range.
    pub from: u64,
    /// The first value behind it.
    pub to: u64,
    /// How many values lie in it.
    pub count: u64,
}

/// The range that a value is in: of one value where there is room for that, else a quarter of those between two powers
/// of two.
fn around(value: u64, is_wide: bool) -> (u64, u64) {
    if !is_wide || value < 8 {
        return (value, value.saturating_add(1));
    }
    let width = 1 << (value.ilog2() - 2);
    let from = value / width * width;
    (from, from.saturating_add(width))
}

/// All ranges from the first that has values to the last.
pub fn ranges(spread: &Spread) -> Vec<Range> {
    let mut counts = spread.counts().peekable();
    let Some((first, _)) = counts.peek().copied() else { return Vec::new() };
    let is_wide = spread.highest() - first >= MOST;
    let mut ranges = Vec::new();
    let (mut from, mut to) = around(first, is_wide);
    while counts.peek().is_some() {
        let mut count = 0;
        while let Some((_, times)) = counts.next_if(|(value, _)| *value < to || to == u64::MAX) {
            count += times;
        }
        ranges.push(Range { from, to, count });
        (from, to) = around(to, is_wide);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Vec<Range> {
        ranges(&values.iter().copied().collect())
    }

    #[test]
    fn ranges_have_all_values_and_no_gap() {
        let many: Vec<u64> = (0..4000).collect();
        for values in [&[0, 0, 3][..], &[1, 7, 300, 100_000, 100_000], &many, &[9_000_000], &[0, u64::MAX]] {
            let ranges = of(values);
            assert_eq!(ranges.iter().map(|range| range.count).sum::<u64>(), values.len() as u64);
            assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from));
            let (first, last) = (ranges.first().unwrap(), ranges.last().unwrap());
            assert!(first.count > 0 && last.count > 0 && ranges.len() < 260, "{ranges:?}");
        }
        assert_eq!(of(&[]), []);
        let few = [(2, 3, 1), (3, 4, 0), (4, 5, 2)].map(|(from, to, count)| Range { from, to, count });
        assert_eq!(of(&[2, 4, 4]), few);
        let wide = of(&[9_000, 9_973, 100]);
        assert_eq!(wide.last(), Some(&Range { from: 8192, to: 10_240, count: 2 }));
    }
}
