// SPDX-License-Identifier: MIT
//! How many errors there may be, if so many were seen.

use statrs::function::beta::inv_beta_reg;

/// The confidence of [`upper`].
pub const CONFIDENCE: f64 = 0.95;

/// The one-sided upper bound of Clopper and Pearson on the probability of what was seen
/// `seen` times in `tries`.
pub fn upper(seen: u64, tries: u64) -> f64 {
    if seen >= tries {
        return 1.0;
    }
    inv_beta_reg((seen + 1) as f64, (tries - seen) as f64, CONFIDENCE)
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
}
