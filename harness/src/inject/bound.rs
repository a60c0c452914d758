// SPDX-License-Identifier: MIT
//! How many errors there may be, if so many were seen.

use statrs::function::beta::inv_beta_reg;

/// The confidence of all bounds and intervals.
pub const CONFIDENCE: f64 = 0.95;

/// The one-sided upper bound of Clopper and Pearson on the probability of what was seen
/// `seen` times in `tries`.
pub fn upper(seen: u64, tries: u64) -> f64 {
    if seen >= tries {
        return 1.0;
    }
    inv_beta_reg((seen + 1) as f64, (tries - seen) as f64, CONFIDENCE)
}

/// The two-sided interval of Clopper and Pearson on the same probability.
pub fn interval(seen: u64, tries: u64) -> (f64, f64) {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (seen, tries) = (seen.min(tries), tries);
    let least = match seen {
        0 => 0.0,
        seen => inv_beta_reg(seen as f64, (tries - seen + 1) as f64, tail),
    };
    let most =
        if seen == tries { 1.0 } else { inv_beta_reg((seen + 1) as f64, (tries - seen) as f64, 1.0 - tail) };
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_exact_ones() {
        for tries in [1, 10, 317, 3000, 100_000] {
            // With none seen, there is a closed form.
            let closed = 1.0 - (1.0 - CONFIDENCE).powf(1.0 / tries as f64);
            assert!((upper(0, tries) / closed - 1.0).abs() < 1e-4, "{tries}: {} {closed}", upper(0, tries));
        }
        // From tables: one in ten.
        assert!((upper(1, 10) - 0.394_2).abs() < 1e-4, "{}", upper(1, 10));
        assert_eq!((upper(0, 0), upper(5, 5)), (1.0, 1.0));
    }

    /// The values are from tables of exact binomial intervals.
    #[test]
    fn intervals_are_the_exact_ones() {
        for (seen, tries, least, most) in [
            (0, 10, 0.0, 0.308_5),
            (1, 10, 0.002_5, 0.445_0),
            (5, 10, 0.187_1, 0.812_9),
            (10, 10, 0.691_5, 1.0),
            (0, 0, 0.0, 1.0),
        ] {
            let (low, high) = interval(seen, tries);
            assert!(
                (low - least).abs() < 1e-4 && (high - most).abs() < 1e-4,
                "{seen} of {tries}: {low} {high}"
            );
        }
        // What is one-sided is nearer than the two-sided interval's end.
        assert!(upper(3, 50) < interval(3, 50).1);
    }
}
