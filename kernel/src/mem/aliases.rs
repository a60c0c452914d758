// SPDX-License-Identifier: MIT
//! The shared pages of a space, by frame.
//!
//! A sorted list: the tracker asks for the pages of one frame in the middle of a PE,
//! when nothing may be allocated. The frame is a page's home, wherever the tracker
//! has it mapped to now.
//!
//! All pages of one frame are watched, or none is, and the first one tells which: whoever does
//! something to each of n pages of one frame does not look at all n each time. Most frames have one
//! page: [`SEVERAL`] tells whether the list has to be looked at at all.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::entry::{SEVERAL, WATCHED};
use super::frame::{Frame, OutOfFrames};
use super::phys::Slot;
use super::sorted::{Place, Sorted};

/// The most pages of shared frames that a space has mapped.
const MAX_ALIASES: usize = 1 << 18;

/// A page of a shared frame. There may be many, and the list moves them: so none takes much room.
#[derive(Clone, Copy)]
pub struct Alias {
    home: Frame,
    /// The number of the slot in which the page's table entry lies.
    slot: u32,
    /// The page's address.
    pub page: u64,
}

impl Alias {
    /// Where the page's table entry lies.
    pub fn slot(&self) -> Slot {
        Slot::numbered(self.slot)
    }
}

/// All pages of shared frames that a space has.
#[derive(Default)]
pub struct Aliases {
    list: Sorted<Alias>,
}

impl Aliases {
    fn place(&self, home: Frame, page: u64) -> Place {
        self.list.place(|alias| (alias.home, alias.page) < (home, page))
    }

    /// The pages of one frame.
    pub fn of(&self, home: Frame) -> impl Iterator<Item = &Alias> {
        self.list.onward(self.place(home, 0)).take_while(move |alias| alias.home == home)
    }

    /// Whether there is no page.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of the pages of a frame has the flag.
    #[cold]
    #[inline(never)]
    pub fn any(&self, home: Frame, flag: Flags) -> bool {
        self.of(home).any(|alias| alias.slot().entry().has(flag))
    }

    /// Whether the pages of a frame are watched.
    #[cold]
    #[inline(never)]
    pub fn are_watched(&self, home: Frame) -> bool {
        self.of(home).next().is_some_and(|alias| alias.slot().entry().has(WATCHED))
    }

    /// Adds a page of a frame whose pages are not watched, and says in their entries that there are several.
    #[cold]
    #[inline(never)]
    pub fn insert(&mut self, home: Frame, page: u64, slot: Slot) -> Result<(), OutOfFrames> {
        if self.list.len() >= MAX_ALIASES {
            return Err(OutOfFrames);
        }
        let alias = Alias { home, page, slot: slot.number() };
        let place = self.place(home, page);
        let beside = [self.list.before(place), Some(place)];
        let mut beside = beside.into_iter().flatten().filter_map(|place| self.list.get(place));
        let is_alone = beside.all(|alias| alias.home != home);
        self.list.insert(place, alias).map_err(|_| OutOfFrames)?;
        if !is_alone {
            // Of three and more, all but the new one say so.
            let first = self.of(home).take(2).map(Alias::slot);
            first.chain([slot]).for_each(|slot| slot.set(slot.entry().with(SEVERAL)));
        }
        Ok(())
    }

    /// Takes a page of a frame away whose pages are not watched, before its entry is changed.
    #[cold]
    #[inline(never)]
    pub fn remove(&mut self, home: Frame, page: u64) {
        let place = self.place(home, page);
        let found = self.list.get(place).filter(|alias| (alias.home, alias.page) == (home, page));
        let Some(was_alone) = found.map(|alias| !alias.slot().entry().has(SEVERAL)) else { return };
        self.list.remove(place);
        let mut left = self.of(home).map(Alias::slot).take(if was_alone { 0 } else { 2 });
        if let (Some(last), None) = (left.next(), left.next()) {
            last.set(last.entry().without(SEVERAL));
        }
    }
}
