// SPDX-License-Identifier: MIT
//! A user address space, and the two kinds of permission in it.
//!
//! What a page *truly* allows stands in its table entry: USER (readable),
//! no-execute, and a software bit for writable. The processor's own writable bit
//! is the tracker's: set only while a run may write the page's frame. So tracking
//! never widens what a page allows. User pages are never global and never large.
//!
//! A page that the tracker maps writable is *watched*: another software bit says
//! so. Whatever the kernel does to a page takes that bit away or sets a third one
//! ([`Change`](pe_replay::Change)), so that the engine's copies never stand for what is
//! no longer there. The tracker holds the table of a page that it watches: the table
//! is not released before the tracker knows that the page is gone.
//!
//! A frame may be mapped more than once, in two ways. *Shared* pages show each
//! other's writes: all those of one frame in a space are listed, the tracker
//! switches them together, and what is done to one of them is done to all. *Copy on
//! write* pages do not: none of them is truly writable, so none is ever tracked,
//! until the kernel has given the writer a [frame of its own](Space::own). *Cached* pages
//! have frames of the [page cache](super::page_cache), which are never written: such a page gets
//! a frame of its own as soon as it may be written. A frame
//! that another space shares may change whenever that space runs; its
//! [generation](super::frame::generation) tells, and the tracker looks at it when this
//! space has become the current one again.

use core::convert::Infallible;

use x86_64::structures::paging::PageTableFlags as Flags;

use super::aliases::Aliases;
use super::entry::{self, CACHED, COPY_ON_WRITE, Entry, NOT_OWN, SEVERAL, SHARED, WATCHED};
use super::frame::{self, Frame};
use super::page_cache::{self, Lasting};
use super::shared::SharedFrame;
use super::tables::{self, KernelHalf, Tables};
use super::{phys, translations};
use crate::arch::tally;

pub use super::entry::{Access, Mapping};
pub use super::frame::OutOfFrames;
pub use super::phys::Slot;

mod access;
mod tracking;

pub use access::BadAddress;

/// Bytes in a page.
pub const PAGE_LEN: u64 = pages::PAGE_LEN as u64;
/// First address above user space: one page below 2^47, so that no SYSCALL can
/// have a non-canonical return address.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// A user address space.
pub struct Space {
    tables: Tables,
    /// What becomes current when this space is gone.
    kernel: KernelHalf,
    /// Whether first writes are tracked; if not, writable pages are mapped so.
    tracking: bool,
    /// Whether something was done to a watched page since the tracker asked last, or may have been.
    disturbed: bool,
    /// The shared pages.
    aliases: Aliases,
}

/// What was taken out of a table.
struct Removed {
    mapping: Mapping,
    /// The flags that the page keeps wherever it goes.
    lasting: Flags,
    /// Whether it was the last page of its table.
    is_table_empty: bool,
}

/// Forgets a page's translation for the kernel's own sake; what the tracker switches, the engine counts.
fn flush(page: u64) {
    tally::PAGES_INVALIDATED.add(1);
    translations::flush(page);
}

fn check(page: u64) {
    assert!(
        page.is_multiple_of(PAGE_LEN) && page < USER_END,
        "{page:#x} is no page of user space: the caller checks"
    );
}

impl Space {
    /// An empty space, which becomes the current one.
    pub fn new(kernel: KernelHalf, tracking: bool) -> Result<Self, OutOfFrames> {
        let mut space = Self::empty(kernel, tracking)?;
        space.activate();
        Ok(space)
    }

    fn empty(kernel: KernelHalf, tracking: bool) -> Result<Self, OutOfFrames> {
        let tables = Tables::new(kernel)?;
        Ok(Self { tables, kernel, tracking, disturbed: false, aliases: Aliases::default() })
    }

    /// Makes this space the current one. While it was not, others may have written its shared frames.
    pub fn activate(&mut self) {
        self.disturbed |= !self.aliases.is_empty();
        translations::switch_to(self.tables.root());
    }

    /// Another empty space, which is not the current one.
    pub fn beside(&self) -> Result<Self, OutOfFrames> {
        Self::empty(self.kernel, self.tracking)
    }

    /// A second space with the same pages. The shared ones are shared with it as
    /// well; all others are copied by the first who writes. It is not the current one.
    pub fn fork(&mut self) -> Result<Self, OutOfFrames> {
        let mut child = Self::empty(self.kernel, self.tracking)?;
        let root = self.tables.root();
        match tables::visit(root, &mut |page, slot| self.fork_page(page, slot, &mut child)) {
            Ok(()) => Ok(child),
            Err(OutOfFrames) => {
                child.destroy();
                Err(OutOfFrames)
            }
        }
    }

    fn fork_page(&mut self, page: u64, slot: Slot, to: &mut Self) -> Result<(), OutOfFrames> {
        let entry = slot.entry();
        let Some(Mapping { frame, access, .. }) = Mapping::of(entry) else { return Ok(()) };
        let mut lasting = entry::lasting(entry.flags());
        if !lasting.contains(SHARED) {
            lasting.insert(COPY_ON_WRITE);
            self.disturbed |= entry.has(WATCHED);
            slot.set(entry.with_flags(entry::page_flags(access, lasting, self.tracking)));
            flush(page);
        }
        frame::share(frame)?;
        to.map(page, frame, access, lasting)
    }

    /// Gives everything back: pages, tables, and the space itself. If it was the current one, no user
    /// space is.
    pub fn destroy(self) {
        if translations::current() == self.tables.root() {
            translations::switch_to(self.kernel.root());
        }
        self.tables.destroy();
    }

    /// Maps a frame at a page that has none, with what the page allows, and with the flags that stay
    /// whatever it allows; takes the frame over. On error nothing is mapped, but tables may be left that are
    /// to be tidied away.
    fn insert(&mut self, page: u64, new: Frame, access: Access, lasting: Flags) -> Result<(), OutOfFrames> {
        check(page);
        let entry = Entry::new(new, entry::page_flags(access, lasting - SEVERAL, self.tracking));
        let slot = self.tables.fill(page, entry)?;
        if lasting.contains(SHARED) {
            // The tracker does not know this page: it has to open the frame anew.
            self.disturb_all(new);
            let listed = self.aliases.insert(new, page, slot);
            if let (Err(OutOfFrames), Some(place)) = (listed, self.tables.place(page)) {
                self.tables.empty(place);
            }
            return listed;
        }
        Ok(())
    }

    /// Maps a frame as [`insert`](Self::insert) does. Nothing is changed on error, but that the frame is released.
    fn map(&mut self, page: u64, new: Frame, access: Access, lasting: Flags) -> Result<(), OutOfFrames> {
        self.insert(page, new, access, lasting).inspect_err(|OutOfFrames| {
            self.tables.tidy(page);
            frame::release(new);
        })
    }

    /// Maps a fresh, zeroed frame at `page`.
    pub fn map_zeroed(&mut self, page: u64, access: Access) -> Result<(), OutOfFrames> {
        let new = frame::allocate()?;
        phys::clear(new);
        self.map(page, new, access, Flags::empty())
    }

    /// Maps content that lasts at `page`, in a frame of the cache if it can be had and the page may not be written.
    pub fn map_lasting(&mut self, page: u64, content: Lasting, access: Access) -> Result<(), OutOfFrames> {
        if !access.write
            && let Some(cached) = page_cache::find(content)?
        {
            return self.map(page, cached, access, CACHED);
        }
        let new = frame::allocate()?;
        content.write(new);
        self.map(page, new, access, Flags::empty())
    }

    /// Maps a frame that somebody else has as well.
    pub fn map_shared(&mut self, page: u64, with: &SharedFrame, access: Access) -> Result<(), OutOfFrames> {
        let shared = with.frame();
        frame::share(shared)?;
        let lasting = SHARED | entry::memory_flags(frame::memory(shared));
        self.map(page, shared, access, lasting)
    }

    /// Makes the frame of `page` one that others can map as well, and returns an ownership of it; nothing is
    /// returned if nothing is mapped there, or if the frame is not to be written.
    pub fn share(&mut self, page: u64) -> Result<Option<SharedFrame>, OutOfFrames> {
        check(page);
        let found = self.find(page).filter(|(_, slot)| !slot.entry().has_any(NOT_OWN));
        let Some((Mapping { frame: home, access, .. }, slot)) = found else { return Ok(None) };
        let entry = slot.entry();
        let shared = SharedFrame::of(home)?;
        if !entry.has(SHARED) {
            self.aliases.insert(home, page, slot)?;
            self.disturbed |= entry.has(WATCHED);
            let lasting = entry::lasting(slot.entry().flags()) | SHARED;
            slot.set(entry.with_flags(entry::page_flags(access, lasting, self.tracking)));
            flush(page);
        }
        Ok(Some(shared))
    }

    /// Gives `page` a frame of its own if its frame was not to be written, and
    /// lets it be what `access` says. Returns whether that was so.
    pub fn own(&mut self, page: u64, access: Access) -> Result<bool, OutOfFrames> {
        check(page);
        let Some(slot) = self.tables.slot(page).filter(|slot| slot.entry().has_any(NOT_OWN)) else {
            return Ok(false);
        };
        self.take_for_own(page, slot, access, Flags::empty())?;
        Ok(true)
    }

    /// Gives `page` a frame that is not the cache's, so that its content may change though it may not be written;
    /// nothing else about it changes.
    pub fn take_from_cache(&mut self, page: u64) -> Result<(), OutOfFrames> {
        match self.find(page) {
            Some((Mapping { access, .. }, slot)) if slot.entry().has(CACHED) => {
                let lasting = entry::lasting(slot.entry().flags()) - CACHED;
                self.take_for_own(page, slot, access, lasting)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives a page that is not watched a frame that no other page has.
    fn take_for_own(
        &mut self,
        page: u64,
        slot: Slot,
        access: Access,
        lasting: Flags,
    ) -> Result<(), OutOfFrames> {
        let before = slot.entry().frame();
        let mut own = before;
        if frame::is_shared(before) {
            own = frame::allocate()?;
            phys::copy(before, own);
            frame::release(before);
        }
        slot.set(Entry::new(own, entry::page_flags(access, lasting, self.tracking)));
        flush(page);
        Ok(())
    }

    /// Unmaps `page` and releases its frame. Returns whether it was mapped.
    pub fn unmap(&mut self, page: u64) -> bool {
        let Some(Removed { mapping, is_table_empty, .. }) = self.remove(page) else { return false };
        if is_table_empty {
            self.tables.tidy(page);
        }
        flush(page);
        frame::release(mapping.frame);
        true
    }

    /// Takes a page out of its table, which stays until it is tidied away; the translation is to be flushed.
    fn remove(&mut self, page: u64) -> Option<Removed> {
        check(page);
        let place = self.tables.place(page)?;
        let entry = place.slot.entry();
        let mapping = Mapping::of(entry)?;
        let lasting = entry::lasting(entry.flags());
        self.disturbed |= entry.has(WATCHED);
        if lasting.contains(SHARED) {
            self.disturb_all(mapping.frame);
            self.aliases.remove(mapping.frame, page);
        }
        Some(Removed { mapping, lasting, is_table_empty: self.tables.empty(place) })
    }

    /// Changes what `page` allows. Returns whether it is mapped. If there is no frame for one that was the
    /// cache's and may be written now, it is to be [owned](Self::own) before it is.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        check(page);
        let Some(slot) = self.tables.slot(page) else { return false };
        let entry = slot.entry();
        if access.write && entry.has(CACHED) && !entry.has(COPY_ON_WRITE) && self.own(page, access).is_ok() {
            return true;
        }
        let Some(mapping) = Mapping::of(entry) else { return false };
        let lasting = entry::lasting(entry.flags());
        self.disturbed |= entry.has(WATCHED);
        if lasting.contains(SHARED) {
            self.disturb_all(mapping.frame);
        }
        slot.set(entry.with_flags(entry::page_flags(access, lasting, self.tracking)));
        flush(page);
        true
    }

    /// Has first writes tracked from now on, or writable pages mapped so. The tracker must watch no page, and forgets
    /// this space.
    pub fn set_tracking(&mut self, tracking: bool) {
        self.tracking = tracking;
        let switch = &mut |_, slot: Slot| {
            let entry = slot.entry();
            if let Some(Mapping { access, .. }) = Mapping::of(entry) {
                assert!(!entry.has(WATCHED), "the tracker watches a page still");
                let lasting = entry::lasting(entry.flags());
                slot.set(entry.with_flags(entry::page_flags(access, lasting, tracking)));
            }
            Ok(())
        };
        let Ok(()) = tables::visit::<Infallible>(self.tables.root(), switch);
        translations::flush_all();
    }

    /// Moves a page with its content. Returns whether it was mapped.
    pub fn relocate(&mut self, from: u64, to: u64) -> Result<bool, OutOfFrames> {
        let Some(Removed { mapping, lasting, .. }) = self.remove(from) else { return Ok(false) };
        let Mapping { frame, access, .. } = mapping;
        flush(from);
        let moved = self.insert(to, frame, access, lasting).map(|()| true);
        if moved.is_err() {
            // The tables for `from` are still there, and its place in the list, so this cannot fail.
            self.insert(from, frame, access, lasting)?;
            self.tables.tidy(to);
        }
        self.tables.tidy(from);
        moved
    }

    /// What is mapped at `page`.
    pub fn lookup(&self, page: u64) -> Option<Mapping> {
        self.find(page).map(|(mapping, _)| mapping)
    }

    /// What `page` allows, if it is mapped.
    pub fn access(&self, page: u64) -> Option<Access> {
        self.lookup(page).map(|mapping| mapping.access)
    }

    /// How many page tables there are, the top one apart.
    pub fn tables(&self) -> u64 {
        self.tables.below()
    }

    /// The first page from `from` on, below `end`, that is mapped.
    pub fn next_mapped(&self, from: u64, end: u64) -> Option<u64> {
        self.tables.next(from, end.min(USER_END))
    }

    /// Whether the processor lets user mode write `page` now.
    pub fn processor_may_write(&self, page: u64) -> bool {
        self.lookup(page).is_some_and(|mapping| mapping.open)
    }

    /// What is mapped at `page`, and where its table entry lies.
    pub fn find(&self, page: u64) -> Option<(Mapping, Slot)> {
        let slot = if page < USER_END { self.tables.slot(page)? } else { return None };
        Some((Mapping::of(slot.entry())?, slot))
    }
}
