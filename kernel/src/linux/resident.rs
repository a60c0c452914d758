// SPDX-License-Identifier: MIT
//! Which pages of a process are there.
//!
//! A list of disjoint runs of pages in ascending order, so that giving back a
//! huge, mostly untouched area takes as long as the pages in it, not as the area.

use alloc::vec::Vec;
use core::ops::Range;

use super::fallible::{self, Exhausted};
use crate::mem::space::PAGE_LEN;

/// The most runs that a process may have: pages that are there, each with a hole behind it.
const MAX_RUNS: usize = 1 << 18;

/// The set of resident pages.
#[derive(Default)]
pub struct Resident {
    runs: Vec<Range<u64>>,
}

impl Resident {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { runs: fallible::copy(&self.runs)? })
    }

    /// Index of the first run that ends behind `address`.
    fn index(&self, address: u64) -> usize {
        self.runs.partition_point(|run| run.end <= address)
    }

    /// Whether the page at `page` is there.
    pub fn contains(&self, page: u64) -> bool {
        self.runs.get(self.index(page)).is_some_and(|run| run.start <= page)
    }

    /// Makes sure that the next [`insert`](Self::insert) succeeds.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        if self.runs.len() < MAX_RUNS { fallible::reserve_one(&mut self.runs) } else { Err(Exhausted) }
    }

    /// Makes sure that the next [`remove`](Self::remove) between these addresses succeeds: it
    /// needs room if what is left are two parts of one run.
    pub fn reserve_cut(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        let splits = |run: &Range<u64>| run.start < start && end < run.end;
        if self.runs.get(self.index(start)).is_some_and(splits) { self.reserve() } else { Ok(()) }
    }

    /// Adds a page that is not in the set.
    pub fn insert(&mut self, page: u64) -> Result<(), Exhausted> {
        let end = page + PAGE_LEN;
        let index = self.index(page);
        let joins_upper = self.runs.get(index).is_some_and(|run| run.start == end);
        let joins_lower = index > 0 && self.runs[index - 1].end == page;
        match (joins_lower, joins_upper) {
            (true, true) => {
                self.runs[index - 1].end = self.runs[index].end;
                self.runs.remove(index);
            }
            (true, false) => self.runs[index - 1].end = end,
            (false, true) => self.runs[index].start = page,
            (false, false) => {
                self.reserve()?;
                fallible::insert_reserved(&mut self.runs, index, page..end);
            }
        }
        Ok(())
    }

    /// The first pages in the set that lie between two addresses.
    pub fn first_between(&self, start: u64, end: u64) -> Option<Range<u64>> {
        let run = self.runs.get(self.index(start)).filter(|run| start < end && run.start < end)?;
        Some(run.start.max(start)..run.end.min(end))
    }

    /// Takes away everything between two addresses. Nothing is changed on error.
    pub fn remove(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        if start >= end {
            return Ok(());
        }
        let first = self.index(start);
        let behind = self.runs.partition_point(|run| run.start < end);
        if first >= behind {
            return Ok(());
        }
        let lower = self.runs[first].start..start;
        let upper = end..self.runs[behind - 1].end;
        if behind - first == 1 && !lower.is_empty() && !upper.is_empty() {
            self.reserve()?;
            self.runs[first] = lower;
            fallible::insert_reserved(&mut self.runs, behind, upper);
            return Ok(());
        }
        // What is left of the outer ones stays in their places.
        let mut gone = first..behind;
        if !lower.is_empty() {
            self.runs[first] = lower;
            gone.start += 1;
        }
        if !upper.is_empty() {
            self.runs[behind - 1] = upper;
            gone.end -= 1;
        }
        self.runs.drain(gone);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Resident {
        /// Leaves no room in the list: what comes next has to make some.
        pub fn tighten(&mut self) {
            self.runs.shrink_to_fit();
        }

        /// Fails if the runs are not disjoint and in order; returns how many pages there are.
        pub fn audit(&self) -> u64 {
            let bounds: Vec<_> = self.runs.iter().flat_map(|run| [run.start, run.end]).collect();
            assert!(bounds.is_sorted_by(|a, b| a < b), "{:x?}", self.runs);
            self.runs.iter().map(|run| (run.end - run.start) / PAGE_LEN).sum()
        }
    }

    fn pages(list: &[u64]) -> Resident {
        let mut resident = Resident::default();
        for page in list {
            resident.insert(page * PAGE_LEN).unwrap();
        }
        resident
    }

    fn runs(resident: &Resident) -> Vec<(u64, u64)> {
        resident.runs.iter().map(|run| (run.start / PAGE_LEN, run.end / PAGE_LEN)).collect()
    }

    #[test]
    fn neighbours_join() {
        let resident = pages(&[5, 7, 6, 1, 2, 9]);
        assert_eq!(runs(&resident), [(1, 3), (5, 8), (9, 10)]);
        assert!(resident.contains(2 * PAGE_LEN));
        assert!(!resident.contains(3 * PAGE_LEN));
    }

    #[test]
    fn removal_splits_and_clips() {
        let mut resident = pages(&[1, 2, 3, 4, 5, 8, 9]);
        resident.remove(2 * PAGE_LEN, 3 * PAGE_LEN).unwrap();
        assert_eq!(runs(&resident), [(1, 2), (3, 6), (8, 10)]);
        assert_eq!(resident.first_between(4 * PAGE_LEN, 9 * PAGE_LEN), Some(4 * PAGE_LEN..6 * PAGE_LEN));
        assert_eq!(resident.first_between(6 * PAGE_LEN, 8 * PAGE_LEN), None);
        assert_eq!(resident.first_between(4 * PAGE_LEN, 4 * PAGE_LEN), None);
        resident.remove(4 * PAGE_LEN, 9 * PAGE_LEN).unwrap();
        assert_eq!(runs(&resident), [(1, 2), (3, 4), (9, 10)]);
        resident.remove(0, u64::MAX).unwrap();
        assert_eq!(runs(&resident), []);
    }

    #[test]
    fn there_are_so_many_runs_and_no_more() {
        let run = |number: u64| 4 * number * PAGE_LEN..(4 * number + 3) * PAGE_LEN;
        let mut resident = Resident { runs: (0..MAX_RUNS as u64).map(run).collect() };
        let page = 4 * MAX_RUNS as u64 * PAGE_LEN;
        assert_eq!(resident.reserve(), Err(Exhausted));
        assert_eq!(resident.insert(page), Err(Exhausted));
        assert_eq!(resident.remove(PAGE_LEN, 2 * PAGE_LEN), Err(Exhausted));
        assert_eq!(resident.reserve_cut(PAGE_LEN, 2 * PAGE_LEN), Err(Exhausted));
        // What needs no further run goes on.
        assert_eq!(resident.reserve_cut(0, 6 * PAGE_LEN), Ok(()));
        assert_eq!(resident.remove(0, 6 * PAGE_LEN), Ok(()));
        assert_eq!(resident.insert(page), Ok(()));
    }
}
