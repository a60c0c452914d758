// SPDX-License-Identifier: MIT
//! Ranges of numbers with a value each: they split where a part gets another value, and
//! join where neighbours have the same.

use alloc::vec::Vec;
use core::ops::Range;

use crate::mem::fallible::{self, Exhausted};

/// Disjoint ranges in ascending order; what is in none has no value.
pub struct Ranges<T> {
    list: Vec<(Range<u64>, T)>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Ranges<T> {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { list: fallible::copy(&self.list)? })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Makes sure that the next [`set`](Self::set) succeeds.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        fallible::reserve(&mut self.list, 2)
    }

    /// Those that have a part between two numbers, whole; between a number and itself is none.
    pub fn touching(&self, start: u64, end: u64) -> impl Iterator<Item = (Range<u64>, T)> {
        let first = self.list.partition_point(|(range, _)| range.end <= start);
        let reached =
            self.list[first..].iter().take_while(move |(range, _)| start < end && range.start < end);
        reached.cloned()
    }

    /// How many ranges more there can be when everything between two numbers has this value, or
    /// none.
    pub fn growth(&self, start: u64, end: u64, value: Option<T>) -> usize {
        let differs = |(range, held): &(Range<u64>, T)| {
            // A part that stays is one more, unless it joins what is new.
            usize::from(range.start < start && Some(*held) != value)
                + usize::from(range.end > end && Some(*held) != value)
        };
        let (mut made, mut gone) = (usize::from(value.is_some()), 0);
        for touched in self.touching(start, end) {
            made += differs(&touched);
            gone += 1;
        }
        made.saturating_sub(gone)
    }

    /// Gives everything between two numbers this value, or none. Nothing is changed on
    /// error.
    pub fn set(&mut self, start: u64, end: u64, value: Option<T>) -> Result<(), Exhausted> {
        if start >= end {
            return Ok(());
        }
        // A range can become three: what follows needs no more room than that.
        self.reserve()?;
        let first = self.list.partition_point(|(range, _)| range.end <= start);
        let behind = self.list.partition_point(|(range, _)| range.start < end).max(first);
        let reached = &self.list[first..behind];
        let lower = reached.first().filter(|(range, _)| range.start < start);
        let lower = lower.map(|(range, value)| (range.start..start, *value));
        let upper = reached.last().filter(|(range, _)| range.end > end);
        let upper = upper.map(|(range, value)| (end..range.end, *value));
        self.list.drain(first..behind);
        let mut at = first;
        for piece in [lower, value.map(|value| (start..end, value)), upper].into_iter().flatten() {
            fallible::insert_reserved(&mut self.list, at, piece);
            at += 1;
        }
        self.join(first.saturating_sub(1), at);
        Ok(())
    }

    /// Joins neighbours of the same value from the range `first` to the range `last`.
    fn join(&mut self, first: usize, last: usize) {
        for index in (first..last).rev() {
            if let [(lower, value), (upper, other)] = &self.list[index..self.list.len().min(index + 2)]
                && lower.end == upper.start
                && value == other
            {
                self.list[index].0.end = upper.end;
                self.list.remove(index + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ranges: &Ranges<char>) -> Vec<(u64, u64, char)> {
        ranges.touching(0, u64::MAX).map(|(range, value)| (range.start, range.end, value)).collect()
    }

    #[test]
    fn ranges_split_and_join() {
        let mut ranges = Ranges::default();
        for (start, end, value, expected) in [
            (10, 20, Some('a'), &[(10, 20, 'a')][..]),
            (30, 40, Some('a'), &[(10, 20, 'a'), (30, 40, 'a')]),
            (20, 30, Some('a'), &[(10, 40, 'a')]),
            (15, 25, Some('b'), &[(10, 15, 'a'), (15, 25, 'b'), (25, 40, 'a')]),
            (12, 13, None, &[(10, 12, 'a'), (13, 15, 'a'), (15, 25, 'b'), (25, 40, 'a')]),
            (5, 5, Some('c'), &[(10, 12, 'a'), (13, 15, 'a'), (15, 25, 'b'), (25, 40, 'a')]),
            (11, 30, Some('a'), &[(10, 40, 'a')]),
            (40, 41, Some('b'), &[(10, 40, 'a'), (40, 41, 'b')]),
            (0, 100, None, &[]),
            (7, 1 << 63, Some('c'), &[(7, 1 << 63, 'c')]),
        ] {
            ranges.set(start, end, value).unwrap();
            assert_eq!(all(&ranges), expected, "{start} {end} {value:?}");
        }
        assert_eq!(ranges.touching(0, 7).count(), 0);
        assert_eq!(ranges.touching(7, 8).count(), 1);
        assert_eq!([7, 8, 1 << 63].map(|at| ranges.touching(at, at).count()), [0; 3]);
    }

    #[test]
    fn they_are_what_one_value_a_number_would_be() {
        let mut state = 1_u64;
        let mut ranges = Ranges::default();
        let mut model = [None; 32];
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (start, length, kind) = (state >> 59, state >> 40 & 15, state >> 33 & 3);
            let end = (start + length).min(32);
            let value = [None, Some('a'), Some('b'), Some('c')][kind as usize];
            let most = ranges.count() + ranges.growth(start, end.max(start), value);
            ranges.set(start, end, value).unwrap();
            assert!(start >= end || ranges.count() <= most);
            model[start as usize..end as usize].fill(value);
            let list = all(&ranges);
            for (number, expected) in model.iter().enumerate() {
                let found = list.iter().find(|(start, end, _)| (*start..*end).contains(&(number as u64)));
                assert_eq!(found.map(|(_, _, value)| *value), *expected);
            }
            assert!(list.windows(2).all(|pair| pair[0].1 < pair[1].0 || pair[0].2 != pair[1].2));
        }
    }
}
