// SPDX-License-Identifier: MIT
//! Region maps: what is attached where, in pages.

use alloc::vec::Vec;
use core::ops::Range;

use crate::frames::aligned_by;
use crate::{Full, insert};

/// Something that is attached: a part of a dataspace that is named by `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<D> {
    /// The first page.
    pub page: u64,
    /// How many pages there are.
    pub count: u64,
    /// What is seen there.
    pub dataspace: D,
    /// Which page of it is the first one.
    pub offset: u64,
    /// What may be done beside reading, as bits.
    pub access: u64,
}

impl<D> Region<D> {
    /// The page behind the last one.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.page + self.count
    }
}

/// Why something was not attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It would lie outside of the map.
    Outside,
    /// Something else is there.
    Occupied,
    /// There is no memory to note it.
    Full,
}

impl From<Full> for Refused {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// A region map: regions without a page in common, from the lowest to the highest.
#[derive(Debug)]
pub struct Regions<D> {
    regions: Vec<Region<D>>,
    /// The pages that can be used at all.
    space: Range<u64>,
    /// The pages from which the map itself chooses.
    chosen: Range<u64>,
}

impl<D: Copy + PartialEq> Regions<D> {
    /// A map of pages in which nothing is attached, and the pages among them that it chooses from itself.
    #[must_use]
    pub const fn new(space: Range<u64>, chosen: Range<u64>) -> Self {
        Self { regions: Vec::new(), space, chosen }
    }

    /// The number of pages of the whole map.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.space.end - self.space.start
    }

    /// The region that a page is in.
    #[must_use]
    pub fn find(&self, page: u64) -> Option<&Region<D>> {
        let index = self.regions.partition_point(|region| region.end() <= page);
        self.regions.get(index).filter(|region| region.page <= page)
    }

    /// All regions.
    pub fn iter(&self) -> impl Iterator<Item = &Region<D>> {
        self.regions.iter()
    }

    /// Attaches something at a page, or where there is room if no page is named; tells the page. A place that the map
    /// chooses is aligned by the length, as the frames are.
    ///
    /// # Errors
    /// It fails if the place is outside of the map or taken, or if there is no memory to note it.
    pub fn attach(&mut self, mut region: Region<D>, page: Option<u64>) -> Result<u64, Refused> {
        if region.count == 0 {
            return Err(Refused::Outside);
        }
        region.page = match page {
            Some(page) => page,
            None => self.room(region.count).ok_or(Refused::Occupied)?,
        };
        let end = region.page.checked_add(region.count).filter(|end| *end <= self.space.end);
        let end = end.filter(|_| region.page >= self.space.start).ok_or(Refused::Outside)?;
        let index = self.regions.partition_point(|other| other.end() <= region.page);
        if self.regions.get(index).is_some_and(|next| next.page < end) {
            return Err(Refused::Occupied);
        }
        insert(&mut self.regions, index, region)?;
        Ok(region.page)
    }

    /// The lowest place for so many pages.
    fn room(&self, count: u64) -> Option<u64> {
        let align = aligned_by(count);
        let fits = |from: u64, to: u64| {
            let start = from.max(self.chosen.start).checked_next_multiple_of(align)?;
            start.checked_add(count).filter(|end| *end <= to.min(self.chosen.end)).map(|_| start)
        };
        let mut from = self.chosen.start;
        for region in &self.regions {
            if let Some(start) = fits(from, region.page) {
                return Some(start);
            }
            from = from.max(region.end());
        }
        fits(from, self.chosen.end)
    }

    /// Takes away what is attached at a page, whichever of its pages that is.
    pub fn detach(&mut self, page: u64) -> Option<Region<D>> {
        let index = self.regions.partition_point(|region| region.end() <= page);
        let found = self.regions.get(index).filter(|region| region.page <= page)?;
        let found = *found;
        self.regions.remove(index);
        Some(found)
    }

    /// Takes away one region of a dataspace.
    pub fn detach_one_of(&mut self, dataspace: D) -> Option<Region<D>> {
        let index = self.regions.iter().position(|region| region.dataspace == dataspace)?;
        Some(self.regions.remove(index))
    }
}

/// A piece that one capability names: pages and the frames that they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first page.
    pub page: u64,
    /// The first frame.
    pub frame: u64,
    /// How many there are, as a power of two.
    pub order: u64,
}

/// The largest piece around a page that lies within a range of pages which show frames in a row, by the frame that the page
/// shows.
#[must_use]
pub fn piece(page: u64, within: &Range<u64>, frame: u64) -> Option<Piece> {
    let of = |order: u64| {
        let first = page >> order << order;
        let first_frame = frame.checked_sub(page - first)?;
        let fits =
            within.start <= first && first + (1 << order) <= within.end && first_frame % (1 << order) == 0;
        fits.then_some(Piece { page: first, frame: first_frame, order })
    };
    let mut found = of(0)?;
    while let Some(larger) = (found.order < 30).then(|| of(found.order + 1)).flatten() {
        found = larger;
    }
    Some(found)
}

/// The pieces of a range of pages that has them at multiples of their lengths, each as large as can be.
pub fn pieces(range: Range<u64>) -> impl Iterator<Item = (u64, u64)> {
    let mut page = range.start;
    core::iter::from_fn(move || {
        let left = range.end.checked_sub(page).filter(|left| *left > 0)?;
        let order = u64::from(page.trailing_zeros()).min(u64::from(left.ilog2())).min(30);
        let first = page;
        page += 1 << order;
        Some((first, order))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn region(count: u64) -> Region<char> {
        Region { page: 0, count, dataspace: 'a', offset: 0, access: 0 }
    }

    #[test]
    fn regions_lie_where_they_are_put_or_where_there_is_room() {
        let mut map = Regions::new(1..1000, 100..200);
        assert_eq!(map.attach(region(4), Some(101)), Ok(101));
        assert_eq!(map.attach(region(4), None), Ok(108));
        assert_eq!(map.attach(region(1), None), Ok(100));
        assert_eq!(map.attach(region(64), None), Ok(128));
        assert_eq!(map.attach(region(64), None), Err(Refused::Occupied));
        assert_eq!(map.attach(region(2), Some(104)), Err(Refused::Occupied));
        assert_eq!(map.attach(region(2), Some(0)), Err(Refused::Outside));
        assert_eq!(map.attach(region(2), Some(999)), Err(Refused::Outside));
        assert_eq!(map.attach(region(2), Some(u64::MAX)), Err(Refused::Outside));
        assert_eq!(map.attach(region(u64::MAX), None), Err(Refused::Occupied));
        assert_eq!(map.attach(region(0), None), Err(Refused::Outside));
        assert_eq!(map.find(103).map(|found| found.page), Some(101));
        assert_eq!(map.find(105), None);
        assert_eq!(map.detach(104).map(|gone| (gone.page, gone.count)), Some((101, 4)));
        assert_eq!(map.detach(104), None);
        assert_eq!(map.iter().map(|it| it.page).collect::<Vec<_>>(), [100, 108, 128]);
        assert_eq!(map.detach_one_of('b'), None);
        assert_eq!(map.detach_one_of('a').map(|gone| gone.page), Some(100));
    }

    #[test]
    fn a_piece_is_as_large_as_both_sides_allow() {
        // Page 20 shows frame 52, page 16 frame 48.
        assert_eq!(piece(20, &(16..32), 52), Some(Piece { page: 16, frame: 48, order: 4 }));
        assert_eq!(piece(20, &(18..24), 52), Some(Piece { page: 20, frame: 52, order: 2 }));
        assert_eq!(piece(20, &(16..32), 53), Some(Piece { page: 20, frame: 53, order: 0 }));
        assert_eq!(piece(32, &(16..32), 64), None);
        assert_eq!(pieces(3..13).collect::<Vec<_>>(), [(3, 0), (4, 2), (8, 2), (12, 0)]);
        assert_eq!(pieces(3..3).count(), 0);
    }

    proptest! {
        #[test]
        fn a_piece_shows_what_single_pages_show(page in 0u64..64, start in 0u64..64, end in 0u64..64, frame in 64u64..128) {
            let within = start..end;
            let found = piece(page, &within, frame);
            prop_assert_eq!(found.is_some(), within.contains(&page));
            if let Some(Piece { page: first, frame: first_frame, order }) = found {
                prop_assert!((first..first + (1 << order)).contains(&page));
                prop_assert!(start <= first && first + (1 << order) <= end);
                prop_assert_eq!(first_frame + (page - first), frame);
                prop_assert_eq!(first % (1 << order), 0);
                prop_assert_eq!(first_frame % (1 << order), 0);
            }
        }
    }
}
