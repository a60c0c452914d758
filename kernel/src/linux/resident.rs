// SPDX-License-Identifier: MIT
//! Which pages of a process are there.
//!
//! A list of disjoint runs of pages in ascending order, so that giving back a
//! huge, mostly untouched area takes as long as the pages in it, not as the area.

use core::ops::Range;

use crate::mem::fallible::Exhausted;
use crate::mem::sorted::{Place, Sorted};
use crate::mem::space::PAGE_LEN;

/// The most runs that a process may have: pages that are there, each with a hole behind it.
const MAX_RUNS: usize = 1 << 18;

/// The set of resident pages.
#[derive(Default)]
pub struct Resident {
    runs: Sorted<Range<u64>>,
}

impl Resident {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { runs: self.runs.copy()? })
    }

    /// The place of the first run that ends behind `address`.
    fn place(&self, address: u64) -> Place {
        self.runs.place(|run| run.end <= address)
    }

    /// Whether the page at `page` is there; if not, where it belongs.
    #[inline]
    pub fn find(&self, page: u64) -> Result<(), Place> {
        let place = self.place(page);
        if self.runs.get(place).is_some_and(|run| run.start <= page) { Ok(()) } else { Err(place) }
    }

    /// Makes sure that a page can be added where [`find`](Self::find) has said, if that
    /// comes next; returns where that is now.
    #[inline]
    pub fn reserve(&mut self, place: Place) -> Result<Place, Exhausted> {
        if self.runs.len() < MAX_RUNS { self.runs.make_room(place) } else { Err(Exhausted) }
    }

    /// Makes sure that the next [`remove`](Self::remove) between these addresses succeeds: it
    /// needs room if what is left are two parts of one run.
    pub fn reserve_cut(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        let place = self.place(start);
        let splits = |run: &Range<u64>| run.start < start && end < run.end;
        if self.runs.get(place).is_some_and(splits) { self.reserve(place).map(drop) } else { Ok(()) }
    }

    /// Adds a page where it belongs.
    pub fn insert(&mut self, place: Place, page: u64) -> Result<(), Exhausted> {
        let end = page + PAGE_LEN;
        let upper = self.runs.get(place).filter(|run| run.start == end).map(|run| run.end);
        let lower = self.runs.before(place).and_then(|place| self.runs.get_mut(place));
        match (lower.filter(|run| run.end == page), upper) {
            (Some(lower), Some(upper)) => {
                lower.end = upper;
                self.runs.remove(place);
            }
            (Some(lower), None) => lower.end = end,
            (None, Some(_)) => self.runs.get_mut(place).into_iter().for_each(|upper| upper.start = page),
            (None, None) => {
                let place = self.reserve(place)?;
                self.runs.insert(place, page..end)?;
            }
        }
        Ok(())
    }

    /// The first pages in the set that lie between two addresses.
    pub fn first_between(&self, start: u64, end: u64) -> Option<Range<u64>> {
        let run = self.runs.get(self.place(start)).filter(|run| start < end && run.start < end)?;
        Some(run.start.max(start)..run.end.min(end))
    }

    /// Takes away everything between two addresses. Nothing is changed on error.
    pub fn remove(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        if start >= end {
            return Ok(());
        }
        let place = self.place(start);
        if let Some(run) = self.runs.get(place).cloned()
            && run.start < start
        {
            if end < run.end {
                // In the middle of one run: nothing else needs room.
                let place = self.reserve(place)?;
                self.runs.insert(place, run.start..start)?;
                let place = self.place(start);
                self.runs.get_mut(place).into_iter().for_each(|upper| upper.start = end);
                return Ok(());
            }
            self.runs.get_mut(place).into_iter().for_each(|lower| lower.end = start);
        }
        let place = self.place(end);
        if let Some(run) = self.runs.get_mut(place)
            && run.start < end
        {
            run.start = end;
        }
        self.runs.remove_between(self.place(start), self.runs.place(|run| run.start < end));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Resident {
        /// Leaves so much room in the list: what comes next has to make more.
        pub fn tighten(&mut self, room: usize) {
            self.runs.tighten(room);
        }

        /// Fails if the runs are not disjoint and in order; returns how many pages there are.
        pub fn audit(&self) -> u64 {
            let runs = || self.runs.onward(self.place(0));
            let bounds: alloc::vec::Vec<_> = runs().flat_map(|run| [run.start, run.end]).collect();
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:x?}");
            runs().map(|run| (run.end - run.start) / PAGE_LEN).sum()
        }
    }

    fn pages(list: &[u64]) -> Resident {
        let mut resident = Resident::default();
        for page in list {
            let place = resident.find(page * PAGE_LEN).unwrap_err();
            resident.insert(place, page * PAGE_LEN).unwrap();
        }
        resident
    }

    fn runs(resident: &Resident) -> alloc::vec::Vec<(u64, u64)> {
        let runs = resident.runs.onward(resident.place(0));
        runs.map(|run| (run.start / PAGE_LEN, run.end / PAGE_LEN)).collect()
    }

    #[test]
    fn neighbours_join() {
        let resident = pages(&[5, 7, 6, 1, 2, 9]);
        assert_eq!(runs(&resident), [(1, 3), (5, 8), (9, 10)]);
        assert!(resident.find(2 * PAGE_LEN).is_ok());
        assert!(resident.find(3 * PAGE_LEN).is_err());
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
        let mut resident = Resident::default();
        for number in 0..MAX_RUNS as u64 {
            resident.runs.insert(resident.runs.end(), run(number)).unwrap();
        }
        let page = 4 * MAX_RUNS as u64 * PAGE_LEN;
        let place = resident.find(page).unwrap_err();
        assert_eq!(resident.reserve(place), Err(Exhausted));
        assert_eq!(resident.insert(place, page), Err(Exhausted));
        assert_eq!(resident.remove(PAGE_LEN, 2 * PAGE_LEN), Err(Exhausted));
        assert_eq!(resident.reserve_cut(PAGE_LEN, 2 * PAGE_LEN), Err(Exhausted));
        // What needs no further run goes on.
        assert_eq!(resident.reserve_cut(0, 6 * PAGE_LEN), Ok(()));
        assert_eq!(resident.remove(0, 6 * PAGE_LEN), Ok(()));
        let place = resident.find(page).unwrap_err();
        assert_eq!(resident.insert(place, page), Ok(()));
    }

    #[test]
    fn a_run_is_cut_at_either_end_and_at_both() {
        for (start, end, left) in [
            (2, 4, &[(4, 6)][..]),
            (1, 4, &[(4, 6)]),
            (4, 6, &[(2, 4)]),
            (4, 9, &[(2, 4)]),
            (3, 5, &[(2, 3), (5, 6)]),
            (6, 9, &[(2, 6)]),
            (0, 2, &[(2, 6)]),
            (4, 4, &[(2, 6)]),
            (2, 6, &[]),
        ] {
            let mut resident = pages(&[2, 3, 4, 5]);
            resident.remove(start * PAGE_LEN, end * PAGE_LEN).unwrap();
            assert_eq!(runs(&resident), left, "{start} {end}");
        }
    }
}
