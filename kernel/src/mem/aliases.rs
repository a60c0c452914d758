// SPDX-License-Identifier: MIT
//! The shared pages of a space, by frame.
//!
//! A sorted list: the tracker asks for the pages of one frame in the middle of a PE,
//! when nothing may be allocated. The frame is a page's home, wherever the tracker
//! has it mapped to now.

use alloc::vec::Vec;

use x86_64::structures::paging::PageTableFlags as Flags;

use super::frame::{Frame, OutOfFrames};
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
}

/// All of them.
#[derive(Default)]
pub struct Aliases {
    list: Vec<Alias>,
}

impl Aliases {
    fn index(&self, home: Frame, page: u64) -> usize {
        self.list.partition_point(|alias| (alias.home, alias.page) < (home, page))
    }

    /// The pages of one frame.
    pub fn of(&self, home: Frame) -> &[Alias] {
        let from = &self.list[self.index(home, 0)..];
        &from[..from.partition_point(|alias| alias.home == home)]
    }

    /// Whether one of the pages of a frame has the flag.
    pub fn any(&self, home: Frame, flag: Flags) -> bool {
        self.of(home).iter().any(|alias| alias.slot.entry().flags().contains(flag))
    }

    /// Adds a page.
    pub fn insert(&mut self, home: Frame, page: u64, slot: Slot) -> Result<(), OutOfFrames> {
        if self.list.len() >= MAX_ALIASES {
            return Err(OutOfFrames);
        }
        self.list.try_reserve(1).map_err(|_| OutOfFrames)?;
        #[expect(clippy::disallowed_methods, reason = "there is room now")]
        self.list.insert(self.index(home, page), Alias { home, page, slot });
        Ok(())
    }

    /// Takes a page away.
    pub fn remove(&mut self, home: Frame, page: u64) {
        let index = self.index(home, page);
        if self.list.get(index).is_some_and(|alias| (alias.home, alias.page) == (home, page)) {
            self.list.remove(index);
        }
    }
}
