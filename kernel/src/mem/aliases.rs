// SPDX-License-Identifier: MIT
//! The shared pages of a space, by frame.
//!
//! A sorted list: the tracker asks for the pages of one frame in the middle of a PE,
//! when nothing may be allocated. The frame is a page's home, wherever the tracker
//! has it mapped to now.
//!
//! All pages of one frame are watched, or none is, and the list knows which: so what
//! is done to each of n pages of one frame does not look at all n each time.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::frame::{Frame, OutOfFrames};
use super::sorted::{Place, Sorted};
use super::space::Slot;

/// The most pages of shared frames that a space has mapped.
const MAX_ALIASES: usize = 1 << 18;

/// A page of a shared frame.
#[derive(Clone, Copy)]
pub struct Alias {
    home: Frame,
    /// Its address.
    pub page: u64,
    /// Where its table entry lies.
    pub slot: Slot,
    /// Whether the tracker keeps copies of the frame; all its pages have the same here.
    is_watched: bool,
    /// Of the frame's first page: whether the kernel has written the frame since.
    is_stale: bool,
}

/// All of them.
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

    /// Whether one of the pages of a frame has the flag.
    #[cold]
    #[inline(never)]
    pub fn any(&self, home: Frame, flag: Flags) -> bool {
        self.of(home).any(|alias| alias.slot.entry().flags().contains(flag))
    }

    /// Whether the pages of a frame are watched.
    #[cold]
    #[inline(never)]
    pub fn are_watched(&self, home: Frame) -> bool {
        self.of(home).next().is_some_and(|alias| alias.is_watched)
    }

    /// The pages of a frame, which are watched from now on, or not any more; none is stale.
    pub fn watch(&mut self, home: Frame, is_watched: bool) -> impl Iterator<Item = Alias> {
        let place = self.place(home, 0);
        self.list.onward_mut(place).take_while(move |alias| alias.home == home).map(move |alias| {
            (alias.is_watched, alias.is_stale) = (is_watched, false);
            *alias
        })
    }

    /// The kernel has written a frame: its pages are stale if they are watched. Returns
    /// whether they are.
    #[cold]
    #[inline(never)]
    pub fn note_write(&mut self, home: Frame) -> bool {
        let place = self.place(home, 0);
        let first = self.list.get_mut(place).filter(|alias| alias.home == home && alias.is_watched);
        first.map(|alias| alias.is_stale = true).is_some()
    }

    /// Whether the kernel has written a frame since its pages were watched, or since this
    /// was asked last.
    #[cold]
    #[inline(never)]
    pub fn take_stale(&mut self, home: Frame) -> bool {
        let place = self.place(home, 0);
        let first = self.list.get_mut(place).filter(|alias| alias.home == home);
        first.is_some_and(|alias| core::mem::take(&mut alias.is_stale))
    }

    /// Adds a page of a frame whose pages are not watched.
    #[cold]
    #[inline(never)]
    pub fn insert(&mut self, home: Frame, page: u64, slot: Slot) -> Result<(), OutOfFrames> {
        if self.list.len() >= MAX_ALIASES {
            return Err(OutOfFrames);
        }
        let alias = Alias { home, page, slot, is_watched: false, is_stale: false };
        self.list.insert(self.place(home, page), alias).map_err(|_| OutOfFrames)
    }

    /// Takes a page away.
    #[cold]
    #[inline(never)]
    pub fn remove(&mut self, home: Frame, page: u64) {
        let place = self.place(home, page);
        if self.list.get(place).is_some_and(|alias| (alias.home, alias.page) == (home, page)) {
            self.list.remove(place);
        }
    }
}
