// SPDX-License-Identifier: MIT
//! Numbers of which each is given to one user at a time: frames, ports, interrupt lines.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{Full, insert};

/// The largest alignment that a piece gets by its length, so that a page table's worth can be mapped at once.
const MOST_ALIGNED: u64 = 512;

/// What is free, as ranges that do not touch each other, from the lowest to the highest.
#[derive(Debug, Default)]
pub struct Frames {
    free: Vec<Range<u64>>,
}

impl Frames {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { free: Vec::new() }
    }

    /// How many are free.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.free.iter().map(|range| range.end - range.start).sum()
    }

    /// Adds a range of which nothing is free yet.
    ///
    /// # Errors
    /// It fails if some of the range is free already, or if there is no memory to note it.
    pub fn add(&mut self, range: Range<u64>) -> Result<(), Full> {
        if range.is_empty() {
            return Ok(());
        }
        let index = self.free.partition_point(|other| other.start < range.start);
        let overlaps = |other: Option<&Range<u64>>| {
            other.is_some_and(|other| other.start < range.end && range.start < other.end)
        };
        if overlaps(self.free.get(index)) || index > 0 && overlaps(self.free.get(index - 1)) {
            return Err(Full);
        }
        let joins_next = self.free.get(index).is_some_and(|next| next.start == range.end);
        let joins_last = index > 0 && self.free[index - 1].end == range.start;
        match (joins_last, joins_next) {
            (true, true) => {
                let next = self.free.remove(index);
                self.free[index - 1].end = next.end;
            }
            (true, false) => self.free[index - 1].end = range.end,
            (false, true) => self.free[index].start = range.start,
            (false, false) => insert(&mut self.free, index, range)?,
        }
        Ok(())
    }

    /// Takes all of a range away that is free.
    ///
    /// # Errors
    /// It fails if there is no memory to note the rest.
    pub fn exclude(&mut self, range: Range<u64>) -> Result<(), Full> {
        while let Some(index) =
            self.free.iter().position(|other| other.start < range.end && range.start < other.end)
        {
            let found = self.free[index].clone();
            let part = found.start.max(range.start)..found.end.min(range.end);
            self.cut(index, part)?;
        }
        Ok(())
    }

    /// Takes a part out of a free range.
    fn cut(&mut self, index: usize, part: Range<u64>) -> Result<(), Full> {
        let whole = self.free[index].clone();
        match (whole.start == part.start, whole.end == part.end) {
            (true, true) => {
                self.free.remove(index);
            }
            (true, false) => self.free[index].start = part.end,
            (false, true) => self.free[index].end = part.start,
            (false, false) => {
                insert(&mut self.free, index + 1, part.end..whole.end)?;
                self.free[index].end = part.start;
            }
        }
        Ok(())
    }

    /// Takes so many in a row, from where the fewest are left over, aligned by their count; tells the first one.
    ///
    /// # Errors
    /// It fails if there are not so many in a row.
    pub fn take(&mut self, count: u64) -> Result<u64, Full> {
        let align = aligned_by(count);
        let place = |range: &Range<u64>| {
            let start = range.start.checked_next_multiple_of(align)?;
            let end = start.checked_add(count).filter(|end| *end <= range.end)?;
            Some(start..end)
        };
        let fitting =
            self.free.iter().enumerate().filter_map(|(index, range)| Some((index, range, place(range)?)));
        let found = fitting.min_by_key(|(_, range, _)| range.end - range.start);
        let (index, _, part) = found.filter(|_| count > 0).ok_or(Full)?;
        let start = part.start;
        self.cut(index, part)?;
        Ok(start)
    }

    /// Takes exactly this range, if all of it is free.
    ///
    /// # Errors
    /// It fails if some of it is not free.
    pub fn take_exactly(&mut self, range: Range<u64>) -> Result<(), Full> {
        let holds = |other: &Range<u64>| other.start <= range.start && range.end <= other.end;
        let index = self.free.iter().position(holds).filter(|_| !range.is_empty()).ok_or(Full)?;
        self.cut(index, range)
    }
}

/// At a multiple of what so many in a row begin.
#[must_use]
pub fn aligned_by(count: u64) -> u64 {
    count.clamp(1, MOST_ALIGNED).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(ranges: &[Range<u64>]) -> Frames {
        let mut frames = Frames::new();
        ranges.iter().for_each(|range| frames.add(range.clone()).unwrap());
        frames
    }

    #[test]
    fn ranges_join_and_do_not_overlap() {
        let mut frames = of(&[10..20, 30..40]);
        assert_eq!(frames.add(15..16), Err(Full));
        assert_eq!(frames.add(39..50), Err(Full));
        frames.add(20..30).unwrap();
        assert_eq!((frames.free.len(), frames.free[0].clone()), (1, 10..40));
        frames.exclude(12..14).unwrap();
        frames.exclude(0..11).unwrap();
        assert_eq!(frames.free, [11..12, 14..40]);
        assert_eq!(frames.available(), 27);
    }

    #[test]
    fn pieces_come_from_where_they_fit_best_and_are_aligned() {
        let mut frames = of(&[1..100, 200..208]);
        assert_eq!(frames.take(4), Ok(200));
        assert_eq!(frames.take(16), Ok(16));
        assert_eq!(frames.take(60), Err(Full));
        assert_eq!(frames.take(0), Err(Full));
        assert_eq!(frames.take(u64::MAX), Err(Full));
        assert_eq!(frames.take_exactly(203..205), Err(Full));
        assert_eq!(frames.take_exactly(205..207), Ok(()));
        assert_eq!(frames.free, [1..16, 32..100, 204..205, 207..208]);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_one_users_and_comes_back(counts in prop::collection::vec(1u64..40, 1..60)) {
            let mut frames = of(&[3..300, 310..600]);
            let all = frames.available();
            let mut taken: Vec<Range<u64>> = Vec::new();
            for count in counts {
                if let Ok(start) = frames.take(count) {
                    let new = start..start + count;
                    prop_assert!(taken.iter().all(|other| other.end <= new.start || new.end <= other.start));
                    prop_assert_eq!(start % aligned_by(count), 0);
                    taken.push(new);
                }
                if taken.len() > 6 {
                    frames.add(taken.swap_remove(2)).unwrap();
                }
            }
            for range in taken {
                frames.add(range).unwrap();
            }
            prop_assert_eq!(frames.available(), all);
            prop_assert_eq!(frames.free.len(), 2);
        }
    }
}
