// SPDX-License-Identifier: MIT
//! How values are spread: each with how often it came, so that every rank is exact.
//!
//! The memory that this takes has a bound without a list of all values: durations of PEs sum to that of the run, so
//! that with a run of *t* ticks no more than the root of 2 *t* of them differ, 141,000 with 10^10.

use std::collections::BTreeMap;

/// Values below this one are counted in a table, which is quick.
const SMALL: usize = 1 << 14;

/// Values, by how often they came.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// How often each small value came; as long as the largest of them asks for.
    small: Vec<u64>,
    large: BTreeMap<u64, u64>,
    count: u64,
}

impl Spread {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        self.add_times(value, 1);
    }

    /// Adds all values of another one.
    pub fn merge(&mut self, other: &Self) {
        other.counts().for_each(|(value, times)| self.add_times(value, times));
    }

    fn add_times(&mut self, value: u64, times: u64) {
        self.count += times;
        match usize::try_from(value) {
            Ok(value) if value < self.small.len() => self.small[value] += times,
            Ok(value) if value < SMALL => {
                self.small.resize((value + 1).next_power_of_two(), 0);
                self.small[value] += times;
            }
            _ => *self.large.entry(value).or_default() += times,
        }
    }

    /// The middle value, or the lower of two; zero where there is none.
    pub fn median(&self) -> u64 {
        self.at_most(1, 2)
    }

    /// The least value that so many of so many values do not exceed.
    pub fn at_most(&self, share: u64, of: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(share)).div_ceil(u128::from(of.max(1)));
        let mut below = 0;
        for (value, times) in self.counts() {
            below += u128::from(times);
            if below >= rank {
                return value;
            }
        }
        0
    }

    /// The highest value; zero where there is none.
    pub fn highest(&self) -> u64 {
        self.counts().last().map_or(0, |(value, _)| value)
    }

    /// Each value that came and how often, in rising order.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let small = self.small.iter().enumerate().map(|(value, times)| (value as u64, *times));
        let large = self.large.iter().map(|(value, times)| (*value, *times));
        small.chain(large).filter(|(_, times)| *times > 0)
    }
}

impl FromIterator<u64> for Spread {
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Self {
        let mut spread = Self::default();
        values.into_iter().for_each(|value| spread.add(value));
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sorted_values() {
        for values in [
            &[4u64, 1, 3, 2][..],
            &[7],
            &[],
            &[0, u64::MAX, SMALL as u64, SMALL as u64 - 1, 5, 5],
            &[9; 2000],
        ] {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
            let spread: Spread = values.iter().copied().collect();
            assert_eq!(spread.median(), at(values.len().saturating_sub(1) / 2));
            assert_eq!(spread.at_most(999, 1000), at((values.len() * 999).div_ceil(1000).saturating_sub(1)));
            assert_eq!(spread.highest(), at(values.len().saturating_sub(1)));
        }
        let mut merged: Spread = [1, 5, 70_000].into_iter().collect();
        merged.merge(&[0, 5, 90_000].into_iter().collect());
        assert_eq!(merged.counts().collect::<Vec<_>>(), [(0, 1), (1, 1), (5, 2), (70_000, 1), (90_000, 1)]);
        assert_eq!((merged.median(), merged.count), (5, 6));
        let thousand: Spread = (0..1000).map(|value| value / 999 * 50).collect();
        assert_eq!((thousand.median(), thousand.at_most(999, 1000), thousand.highest()), (0, 0, 50));
    }

    #[test]
    fn equal_values_take_no_memory() {
        let spread: Spread = (0..100_000).map(|value| value % 3 * SMALL as u64).collect();
        assert_eq!(spread.counts().map(|(value, _)| value / SMALL as u64).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(spread.small.len() <= SMALL && spread.large.len() == 2);
    }
}
