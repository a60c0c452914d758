// SPDX-License-Identifier: MIT
//! The areas of a process's memory: what may be touched, and how.
//!
//! A list of disjoint address ranges in ascending order, each with its
//! permissions. It says what a page would be; whether the page is there is the
//! business of [`Resident`](super::resident::Resident). All addresses are whole
//! pages.

use alloc::vec::Vec;
use core::ops::Range;

use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::Access;

/// The most areas that a process may have (Linux's `vm.max_map_count`).
pub const MAX_AREAS: usize = 65_530;

/// What an area is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A segment of the program.
    Image,
    /// What `brk` gives.
    Heap,
    /// The stack.
    Stack,
    /// Anonymous memory of one's own.
    Private,
    /// Pages that others may have mapped too.
    Shared {
        /// Which [`Pages`](super::pages::Pages).
        object: u64,
        /// What has to be added to an address to get to its byte in there.
        delta: u64,
        /// Whether the area may become writable.
        may_write: bool,
    },
    /// A private copy of a part of a file.
    File,
    /// Mapped, but wholly behind the end of the mapped file.
    PastEnd,
}

/// A range of addresses with equal properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// What the program may do there.
    pub access: Access,
    /// What it is for.
    pub kind: Kind,
}

impl Area {
    /// This area, moved to another address.
    pub fn moved_to(self, start: u64) -> Self {
        let kind = match self.kind {
            Kind::Shared { object, delta, may_write } => {
                let delta = delta.wrapping_add(self.start).wrapping_sub(start);
                Kind::Shared { object, delta, may_write }
            }
            kind => kind,
        };
        Self { start, end: start + (self.end - self.start), access: self.access, kind }
    }

    /// The part between two addresses, which has to exist.
    pub fn clipped(self, start: u64, end: u64) -> Self {
        Self { start: self.start.max(start), end: self.end.min(end), ..self }
    }
}

/// All areas of a process.
#[derive(Default)]
pub struct Areas {
    list: Vec<Area>,
}

impl Areas {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { list: fallible::copy(&self.list)? })
    }

    /// Index of the first area that ends behind `address`.
    fn index(&self, address: u64) -> usize {
        self.list.partition_point(|area| area.end <= address)
    }

    /// The area that `address` lies in.
    pub fn find(&self, address: u64) -> Option<Area> {
        self.list.get(self.index(address)).copied().filter(|area| area.start <= address)
    }

    /// All areas.
    pub fn all(&self) -> &[Area] {
        &self.list
    }

    /// The parts of areas between two addresses.
    pub fn between(&self, start: u64, end: u64) -> impl Iterator<Item = Area> {
        let first = self.index(start);
        self.list[first..]
            .iter()
            .take_while(move |area| start < end && area.start < end)
            .map(move |area| area.clipped(start, end))
    }

    /// Whether no area has a byte between two addresses.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.between(start, end).next().is_none()
    }

    /// Where the first hole between two addresses begins.
    pub fn first_hole(&self, start: u64, end: u64) -> Option<u64> {
        let mut reached = start;
        for area in self.between(start, end) {
            if area.start > reached {
                break;
            }
            reached = area.end;
        }
        (reached < end).then_some(reached)
    }

    /// The highest place for `length` bytes between two addresses.
    pub fn gap(&self, bottom: u64, top: u64, length: u64) -> Option<u64> {
        let mut limit = top;
        for area in self.list.iter().rev() {
            if area.start >= limit {
                continue;
            }
            let start = limit.checked_sub(length)?;
            if start < bottom {
                return None;
            }
            if start >= area.end {
                return Some(start);
            }
            limit = area.start;
        }
        limit.checked_sub(length).filter(|start| *start >= bottom)
    }

    /// Adds an area where none is.
    pub fn insert(&mut self, area: Area) -> Result<(), Exhausted> {
        if self.list.len() >= MAX_AREAS {
            return Err(Exhausted);
        }
        let index = self.index(area.start);
        fallible::insert(&mut self.list, index, area)?;
        self.merge(index..index + 1);
        Ok(())
    }

    /// Takes away everything between two addresses, and shows it. Nothing is changed on error.
    pub fn remove(&mut self, start: u64, end: u64, gone: impl FnMut(Area)) -> Result<(), Exhausted> {
        let range = self.isolate(start, end)?;
        self.list.drain(range.clone()).for_each(gone);
        self.merge(range.start..range.start);
        Ok(())
    }

    /// Changes the permissions of everything between two addresses. Nothing is
    /// changed on error.
    pub fn set_access(&mut self, start: u64, end: u64, access: Access) -> Result<(), Exhausted> {
        let range = self.isolate(start, end)?;
        for area in &mut self.list[range.clone()] {
            area.access = access;
        }
        self.merge(range);
        Ok(())
    }

    /// Makes sure that the next [`remove`](Self::remove) between these addresses succeeds.
    pub fn reserve_cuts(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        let inside = |at: &u64| self.find(*at).is_some_and(|area| area.start < *at);
        let cuts = [start, end].iter().filter(|at| inside(at)).count();
        if cuts > 0 && self.list.len() + cuts > MAX_AREAS {
            return Err(Exhausted);
        }
        fallible::reserve(&mut self.list, cuts)
    }

    /// Cuts areas so that `start` and `end` are boundaries; returns what lies between.
    fn isolate(&mut self, start: u64, end: u64) -> Result<Range<usize>, Exhausted> {
        self.reserve_cuts(start, end)?;
        self.cut(start);
        self.cut(end);
        let first = self.index(start);
        let behind = self.list.partition_point(|area| area.start < end);
        Ok(first..behind.max(first))
    }

    /// Makes `address` a boundary; there has to be room for one more area.
    fn cut(&mut self, address: u64) {
        let index = self.index(address);
        if let Some(area) = self.list.get_mut(index)
            && area.start < address
        {
            let upper = Area { start: address, ..*area };
            area.end = address;
            fallible::insert_reserved(&mut self.list, index + 1, upper);
        }
    }

    /// Joins neighbours that do not differ; only those in and beside `changed` can.
    fn merge(&mut self, changed: Range<usize>) {
        let behind = self.list.len().min(changed.end + 1);
        let mut last = changed.start.saturating_sub(1);
        for index in last + 1..behind {
            let (lower, upper) = (self.list[last], self.list[index]);
            let same = lower.end == upper.start
                && lower.access == upper.access
                && lower.kind == upper.kind
                && lower.kind != Kind::Image;
            if same {
                self.list[last].end = upper.end;
            } else {
                last += 1;
                self.list[last] = upper;
            }
        }
        if last + 1 < behind {
            self.list.drain(last + 1..behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: Access = Access { read: true, write: true, execute: false };
    const R: Access = Access { read: true, write: false, execute: false };

    impl Areas {
        /// Leaves so much room in the list: what comes next has to make more.
        pub fn tighten(&mut self, room: usize) {
            self.list.shrink_to(self.list.len() + room);
        }
    }

    fn area(start: u64, end: u64, access: Access) -> Area {
        Area { start, end, access, kind: Kind::Private }
    }

    fn areas(list: &[(u64, u64)]) -> Areas {
        let mut areas = Areas::default();
        for &(start, end) in list {
            areas.insert(area(start, end, RW)).unwrap();
        }
        areas
    }

    #[test]
    fn equal_neighbours_join_and_removal_splits() {
        let mut gone = Vec::new();
        let mut areas = areas(&[(20, 30), (10, 20), (40, 50)]);
        assert_eq!(areas.all(), [area(10, 30, RW), area(40, 50, RW)]);
        areas.remove(15, 45, |area| gone.push((area.start, area.end))).unwrap();
        assert_eq!(gone, [(15, 30), (40, 45)]);
        assert_eq!(areas.all(), [area(10, 15, RW), area(45, 50, RW)]);
        areas.remove(0, 100, |_| ()).unwrap();
        assert_eq!(areas.all(), []);
    }

    #[test]
    fn an_area_joins_both_its_neighbours() {
        let mut areas = areas(&[(0, 5), (10, 20), (30, 40), (50, 60)]);
        areas.insert(area(20, 30, RW)).unwrap();
        assert_eq!(areas.all(), [area(0, 5, RW), area(10, 40, RW), area(50, 60, RW)]);
        areas.insert(area(40, 45, R)).unwrap();
        areas.insert(area(45, 50, R)).unwrap();
        areas.set_access(40, 50, RW).unwrap();
        assert_eq!(areas.all(), [area(0, 5, RW), area(10, 60, RW)]);
    }

    #[test]
    fn permissions_change_in_the_middle_and_back() {
        let mut areas = areas(&[(10, 50)]);
        areas.set_access(20, 30, R).unwrap();
        assert_eq!(areas.all(), [area(10, 20, RW), area(20, 30, R), area(30, 50, RW)]);
        areas.set_access(0, 60, RW).unwrap();
        assert_eq!(areas.all(), [area(10, 50, RW)]);
    }

    #[test]
    fn the_highest_gap_is_found() {
        let areas = areas(&[(10, 20), (40, 50), (90, 110)]);
        assert_eq!(areas.gap(0, 100, 10), Some(80));
        assert_eq!(areas.gap(0, 100, 40), Some(50));
        assert_eq!(areas.gap(0, 100, 41), None);
        assert_eq!(areas.gap(0, 100, 11), Some(79));
        assert_eq!(areas.gap(0, 45, 20), Some(20));
        assert_eq!(areas.gap(0, 45, 21), None);
        assert_eq!(areas.gap(5, 18, 5), Some(5));
        assert_eq!(areas.gap(6, 18, 5), None);
        assert_eq!(areas.gap(0, 100, u64::MAX), None);
    }

    #[test]
    fn holes_are_found() {
        let areas = areas(&[(10, 20), (20, 30), (40, 50)]);
        assert_eq!(areas.first_hole(10, 30), None);
        assert_eq!(areas.first_hole(10, 31), Some(30));
        assert_eq!(areas.first_hole(5, 12), Some(5));
        assert!(areas.is_free(30, 40));
        assert!(areas.is_free(15, 15));
        assert!(!areas.is_free(30, 41));
    }
}
