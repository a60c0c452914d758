// SPDX-License-Identifier: MIT
//! What the tracker of first writes does to a space, and what it is told.

use pe_replay::{Access, Change, Page};
use x86_64::structures::paging::PageTableFlags as Flags;

use super::super::entry::{Entry, SEVERAL, SHARED, STALE, TRULY_WRITABLE, WATCHED};
use super::super::frame::Frame;
use super::super::shared::SharedFrame;
use super::super::{tables, translations};
use super::{PAGE_LEN, Slot, Space, flush};

/// The entry of a page that is switched, from what it was.
#[inline(always)]
fn switched(before: Entry, frame: Frame, access: Access) -> Entry {
    let mut flags = before.flags();
    flags.remove(Flags::WRITABLE | Flags::DIRTY | Flags::ACCESSED | WATCHED | STALE);
    if access != Access::Released {
        flags.insert(WATCHED);
    }
    if access == Access::Open && flags.contains(TRULY_WRITABLE) {
        flags.insert(Flags::WRITABLE);
    }
    Entry::new(frame, flags)
}

/// Switches one page; returns its entry before and after.
fn switch_one(slot: Slot, frame: Frame, access: Access) -> (Entry, Entry) {
    let before = slot.entry();
    if !before.has(Flags::PRESENT) {
        not_mapped(slot);
    }
    let after = switched(before, frame, access);
    slot.set(after);
    (before, after)
}

/// Apart, so that no slot has to be in memory to be printed.
#[cold]
fn not_mapped(slot: Slot) -> ! {
    panic!("a page is tracked but not mapped, by {slot:x?}")
}

/// The tracker watches a page from now on, or does not any more.
fn note_watched(slot: Slot, is_watched: bool) {
    if is_watched { slot.hold() } else { slot.let_go() }
}

impl Space {
    /// The page at `address`, as the tracker sees it.
    pub fn tracked(&self, address: u64) -> Option<Page<Frame, Slot>> {
        let address = address & !(PAGE_LEN - 1);
        let (mapping, slot) = self.find(address)?;
        let writable = mapping.access.read && mapping.access.write;
        let shared = slot.entry().has(SHARED);
        Some(Page { address, frame: mapping.frame, slot, writable, open: mapping.open, shared })
    }

    /// The tracker's switch: maps `page` to `frame`, for that access, and not written so
    /// far; with it all other pages of that home. What a page truly allows stays, and
    /// bounds it. The page's translation is to be [flushed](Self::flush).
    #[inline(always)]
    pub fn switch(&mut self, page: &Page<Frame, Slot>, frame: Frame, access: Access) {
        let before = page.slot.entry();
        // Nothing but its entry tells of a page that is watched already and has no other with its home, as nearly
        // all that are switched in every PE.
        let is_alone = before.flags() & (Flags::PRESENT | WATCHED | SHARED) == Flags::PRESENT | WATCHED;
        if is_alone && access != Access::Released {
            page.slot.set(switched(before, frame, access));
        } else {
            self.switch_noted(page, frame, access);
        }
    }

    /// Switches a page of which more than its entry tells, or is to.
    #[cold]
    #[inline(never)]
    fn switch_noted(&mut self, page: &Page<Frame, Slot>, frame: Frame, access: Access) {
        let (before, after) = switch_one(page.slot, frame, access);
        if before.has(WATCHED) != after.has(WATCHED) {
            note_watched(page.slot, after.has(WATCHED));
        }
        if after.has(SEVERAL) {
            self.switch_aliases(page.frame, frame, access);
        }
    }

    fn switch_aliases(&mut self, home: Frame, frame: Frame, access: Access) {
        for alias in self.aliases.of(home) {
            switch_one(alias.slot(), frame, access);
            translations::flush_switched(alias.page);
        }
    }

    /// Flushes the translation of a page that was switched.
    #[inline(always)]
    pub fn flush(&self, page: u64) {
        translations::flush_switched(page);
    }

    /// Flushes all translations, as many pages were switched.
    #[inline(always)]
    pub fn flush_all(&self) {
        translations::flush_all_switched();
    }

    /// Takes all pages of a shared frame away from the tracker.
    pub(super) fn disturb_all(&mut self, home: Frame) {
        if !self.aliases.are_watched(home) {
            return;
        }
        for alias in self.aliases.of(home) {
            let entry = alias.slot().entry();
            if entry.has(WATCHED) {
                alias.slot().set(entry.without(WATCHED | STALE | Flags::WRITABLE));
                flush(alias.page);
                self.disturbed = true;
            }
        }
    }

    /// Calls `each` for the frame of every page that user mode accessed since the
    /// last time, and forgets that they were; flushes all translations, since the
    /// processor notes an access only when it fills one.
    pub fn take_accessed(&mut self, mut each: impl FnMut(Frame)) {
        tables::take_accessed(self.tables.root(), &mut each);
        translations::flush_all();
    }

    /// Whether the processor has written `page`, or another page with that home, since it was switched.
    #[inline]
    pub fn is_written(&self, page: &Page<Frame, Slot>) -> bool {
        let entry = page.slot.entry();
        entry.has(Flags::DIRTY) || entry.has(SEVERAL) && self.aliases.any(page.frame, Flags::DIRTY)
    }

    /// The kernel has written a shared frame other than through this space: the tracker has to look.
    pub fn note_write(&mut self, written: &SharedFrame) {
        self.disturbed |= self.aliases.are_watched(written.frame());
    }

    /// Whether anything was done to a watched page since this was asked last.
    #[inline]
    pub fn disturbed(&mut self) -> bool {
        core::mem::take(&mut self.disturbed)
    }

    /// What was done to a watched page since it was switched or this was asked last; what was written through
    /// others with its home, the frame's generation tells. A page that is lost is no longer the tracker's.
    pub fn change(&mut self, slot: Slot) -> Change {
        let entry = slot.entry();
        if !entry.has(WATCHED) {
            slot.let_go();
            return Change::Mapping;
        }
        if !entry.has(STALE) {
            return Change::None;
        }
        slot.set(entry.without(STALE));
        Change::Content
    }
}
