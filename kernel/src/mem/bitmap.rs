// SPDX-License-Identifier: MIT
//! A set of small numbers, a bit each, worked on a word of 64 at a time.

use core::ops::Range;

/// Numbers in a word.
const BITS: usize = u64::BITS as usize;

/// A set of the numbers below 64 times `WORDS`.
pub struct Bitmap<const WORDS: usize>([u64; WORDS]);

/// The words that hold `range`, each with the bits of it that are meant.
fn words(range: Range<usize>) -> impl DoubleEndedIterator<Item = (usize, u64)> {
    let Range { start, end } = range;
    let touched = if start < end { start / BITS..end.div_ceil(BITS) } else { 0..0 };
    touched.map(move |word| {
        let from = start.saturating_sub(word * BITS);
        let above = (word * BITS + BITS).saturating_sub(end);
        (word, u64::MAX << from & u64::MAX >> above)
    })
}

impl<const WORDS: usize> Bitmap<WORDS> {
    /// A set without any number.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Puts a number in; returns whether the set did not have it.
    pub fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (&mut self.0[number / BITS], 1 << (number % BITS));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Puts all numbers of a range in; returns how many of them the set did not have.
    pub fn insert_all(&mut self, range: Range<usize>) -> u64 {
        let change = |(index, bits): (usize, u64)| {
            let word: &mut u64 = &mut self.0[index];
            let new = u64::from((bits & !*word).count_ones());
            *word |= bits;
            new
        };
        words(range).map(change).sum()
    }

    /// Takes all numbers of a range out; returns how many of them the set had.
    pub fn remove_all(&mut self, range: Range<usize>) -> u64 {
        let change = |(index, bits): (usize, u64)| {
            let word: &mut u64 = &mut self.0[index];
            let gone = u64::from((bits & *word).count_ones());
            *word &= !bits;
            gone
        };
        words(range).map(change).sum()
    }

    /// Takes the least number out of those that are not below the last multiple of 64 up to `hint`.
    pub fn take_least(&mut self, hint: usize) -> Option<usize> {
        let (index, word) = self.0.iter_mut().enumerate().skip(hint / BITS).find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(index * BITS + bit)
    }

    /// The greatest number of the set that is in a range.
    pub fn last_in(&self, range: Range<usize>) -> Option<usize> {
        Self::last(range, |index| self.0[index])
    }

    /// The greatest number in a range that is not in the set.
    pub fn last_not_in(&self, range: Range<usize>) -> Option<usize> {
        Self::last(range, |index| !self.0[index])
    }

    fn last(range: Range<usize>, word: impl Fn(usize) -> u64) -> Option<usize> {
        let mut found = words(range).rev().map(|(index, bits)| (index, word(index) & bits));
        let (index, bits) = found.find(|(_, bits)| *bits != 0)?;
        Some(index * BITS + bits.ilog2() as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: usize = 256;

    fn filled(numbers: &BTreeSet<usize>) -> Bitmap<{ ALL / BITS }> {
        let mut bitmap = Bitmap::EMPTY;
        assert!(numbers.iter().all(|number| bitmap.insert(*number)));
        bitmap
    }

    fn content(bitmap: &Bitmap<{ ALL / BITS }>) -> BTreeSet<usize> {
        (0..ALL).filter(|number| bitmap.last_in(*number..*number + 1).is_some()).collect()
    }

    /// Some sets: dense, sparse, none, all.
    fn sets() -> [BTreeSet<usize>; 4] {
        let every = |step| (0..ALL).filter(|number| number % step == 3).collect();
        [every(5), every(71), BTreeSet::new(), (0..ALL).collect()]
    }

    /// All ranges that begin and end near the edges of words.
    fn ranges() -> impl Iterator<Item = Range<usize>> {
        const EDGES: [usize; 14] = [0, 1, 3, 62, 63, 64, 65, 127, 128, 130, 191, 192, 255, 256];
        EDGES.into_iter().flat_map(|start| EDGES.map(|end| start..end))
    }

    #[test]
    fn ranges_are_what_they_are_number_by_number() {
        for set in sets() {
            for range in ranges() {
                let inside: BTreeSet<usize> = range.clone().collect();
                let mut bitmap = filled(&set);
                assert_eq!(bitmap.last_in(range.clone()), set.intersection(&inside).last().copied());
                assert_eq!(bitmap.last_not_in(range.clone()), inside.difference(&set).last().copied());
                assert_eq!(bitmap.insert_all(range.clone()), inside.difference(&set).count() as u64);
                assert_eq!(content(&bitmap), set.union(&inside).copied().collect(), "{range:?}");
                let mut bitmap = filled(&set);
                assert_eq!(bitmap.remove_all(range.clone()), set.intersection(&inside).count() as u64);
                assert_eq!(content(&bitmap), set.difference(&inside).copied().collect(), "{range:?}");
            }
        }
    }

    #[test]
    fn the_least_is_taken_first_and_each_once() {
        for set in sets() {
            let mut bitmap = filled(&set);
            let mut hint = 0;
            for number in &set {
                assert_eq!(bitmap.take_least(hint), Some(*number));
                hint = *number;
            }
            assert_eq!(bitmap.take_least(0), None);
            assert_eq!(bitmap.take_least(ALL), None);
        }
    }

    #[test]
    fn what_is_there_is_not_put_in_again() {
        let mut bitmap = Bitmap::<1>::EMPTY;
        assert!(bitmap.insert(63));
        assert!(!bitmap.insert(63));
        assert_eq!(bitmap.take_least(63), Some(63));
        assert!(bitmap.insert(63));
    }
}
