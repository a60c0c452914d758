// SPDX-License-Identifier: MIT
//! The shared pages of a space, by frame.
//!
//! A sorted list: the tracker asks for the pages of one frame in the middle of a PE,
//! when nothing may be allocated. The frame is a page's home, wherever the tracker
//! has it mapped to now.
//!
//! All pages of one frame are watched, or none is, and the list knows which: whoever does
//! something to each of n pages of one frame does not look at all n each time.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::frame::{Frame, OutOfFrames};
use super::phys::Slot;
use super::sorted::{Place, Sorted};

/// The most pages of shared frames that a space has mapped.
const MAX_ALIASES: usize = 1 << 18;

/// The bit of a page's address that tells whether the page is watched.
const WATCHED: u64 = 1;

/// A page of a shared frame. There may be many, and the list moves them: so none takes much room.
#[derive(Clone, Copy)]
pub struct Alias {
    home: Frame,
    /// The number of the slot in which the page's table entry lies.
    slot: u32,
    /// The page's address, and in a bit of it whether the tracker has mapped the frame's pages writable; all
    /// have the same there.
    page: u64,
}

impl Alias {
    /// The page's address.
    pub fn page(&self) -> u64 {
        self.page & !WATCHED
    }

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
        self.list.place(|alias| (alias.home, alias.page()) < (home, page))
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
        self.of(home).next().is_some_and(|alias| alias.page & WATCHED != 0)
    }

    /// The pages of a frame, which are watched from now on, or not any more.
    pub fn watch(&mut self, home: Frame, is_watched: bool) -> impl Iterator<Item = Alias> {
        let place = self.place(home, 0);
        let watched = if is_watched { WATCHED } else { 0 };
        self.list.onward_mut(place).take_while(move |alias| alias.home == home).map(move |alias| {
            alias.page = alias.page() | watched;
            *alias
        })
    }

    /// Adds a page of a frame whose pages are not watched.
    #[cold]
    #[inline(never)]
    pub fn insert(&mut self, home: Frame, page: u64, slot: Slot) -> Result<(), OutOfFrames> {
        if self.list.len() >= MAX_ALIASES {
            return Err(OutOfFrames);
        }
        let alias = Alias { home, page, slot: slot.number() };
        self.list.insert(self.place(home, page), alias).map_err(|_| OutOfFrames)
    }

    /// Takes a page away.
    #[cold]
    #[inline(never)]
    pub fn remove(&mut self, home: Frame, page: u64) {
        let place = self.place(home, page);
        if self.list.get(place).is_some_and(|alias| (alias.home, alias.page()) == (home, page)) {
            self.list.remove(place);
        }
    }
}
