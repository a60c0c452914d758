// SPDX-License-Identifier: MIT
//! A user address space, and the two kinds of permission in it.
//!
//! What a page *truly* allows stands in its table entry: USER (readable),
//! no-execute, and a software bit for writable. The processor's own writable bit
//! is the tracker's: set only while a run may write the page's frame. So tracking
//! never widens what a page allows. User pages are never global and never large.
//!
//! A page that the tracker keeps copies of is *watched*: another software bit says
//! so. Whatever the kernel does to a page takes that bit away or sets a third one
//! ([`Change`]), so that the engine's copies never stand for what is no longer there.
//!
//! A frame may be mapped more than once, in two ways. *Shared* pages show each
//! other's writes: all those of one frame in a space are listed, the tracker
//! switches them together, and what is done to one of them is done to all. *Copy on
//! write* pages do not: none of them is truly writable, so none is ever tracked,
//! until the kernel has given the writer a [frame of its own](Space::own). A frame
//! that another space shares may change whenever that space runs: before it does,
//! this one's shared pages must not be watched any more.

use pages::PAGE_LEN as PAGE_BYTES;
use pe_replay::{Access as Tracking, Change};
use x86_64::PhysAddr;
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;
use x86_64::structures::paging::page_table::PageTableEntry;

use super::aliases::Aliases;
use super::frame::{self, Frame};
use super::shared::SharedFrame;
use super::{layout, phys};
use crate::arch::tally;

pub use super::frame::OutOfFrames;

/// Bytes in a page.
pub const PAGE_LEN: u64 = PAGE_BYTES as u64;
/// First address above user space: one page below 2^47, so that no SYSCALL can
/// have a non-canonical return address.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// The page is truly writable.
const TRULY_WRITABLE: Flags = Flags::BIT_9;
/// The tracker has mapped the page and keeps copies of it, and nothing has changed that since.
const WATCHED: Flags = Flags::BIT_10;
/// The kernel has written the page since the tracker mapped it.
const STALE: Flags = Flags::BIT_11;
/// The frame may be mapped at other pages too, here or in another space.
const SHARED: Flags = Flags::BIT_52;
/// The frame may be another space's as well, until somebody wants to write it.
const COPY_ON_WRITE: Flags = Flags::BIT_53;

/// What a page allows the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Any access at all.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Executing.
    pub execute: bool,
}

/// The first address that could not be accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress(pub u64);

/// A mapped page, as the tracker needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The frame that is mapped now.
    pub frame: Frame,
    /// What the page truly allows.
    pub access: Access,
    /// Whether the processor lets user mode write it now.
    pub open: bool,
}

/// Where the table entry of a page lies: good for as long as its space, whose
/// tables stay where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    table: Frame,
    index: u16,
}

impl Slot {
    /// A slot that nothing is ever sought in.
    pub fn nowhere(table: Frame) -> Self {
        Self { table, index: 0 }
    }

    /// The entry.
    pub(super) fn entry(self) -> &'static mut PageTableEntry {
        // SAFETY: slots are made by `Space::slot` only, for tables of the space, which
        // are freed with it; no other reference to an entry outlives a function here.
        unsafe { &mut layout::table(self.table)[usize::from(self.index)] }
    }
}

/// A user address space.
pub struct Space {
    root: Frame,
    /// What becomes current when this space is gone.
    kernel_root: Frame,
    /// Whether first writes are tracked; if not, writable pages are mapped so.
    tracking: bool,
    /// Something was done to a watched page since the tracker asked last.
    disturbed: bool,
    /// The shared pages.
    aliases: Aliases,
}

/// The flags of a page that is shared, copied on write, or neither.
fn flags(access: Access, sharing: Flags, tracking: bool) -> Flags {
    let mut flags = Flags::PRESENT | sharing;
    let writable = access.write && !sharing.contains(COPY_ON_WRITE);
    flags.set(Flags::USER_ACCESSIBLE, access.read);
    flags.set(Flags::NO_EXECUTE, !access.execute);
    flags.set(TRULY_WRITABLE, writable);
    flags.set(Flags::WRITABLE, writable && !tracking);
    flags
}

/// How a page with these flags shares its frame.
fn sharing(flags: Flags) -> Flags {
    flags & (SHARED | COPY_ON_WRITE)
}

fn mapping(entry: &PageTableEntry) -> Option<Mapping> {
    let flags = entry.flags();
    flags.contains(Flags::PRESENT).then(|| Mapping {
        frame: Frame::at(entry.addr().as_u64()),
        access: Access {
            read: flags.contains(Flags::USER_ACCESSIBLE),
            write: flags.contains(TRULY_WRITABLE),
            execute: !flags.contains(Flags::NO_EXECUTE),
        },
        open: flags.contains(Flags::WRITABLE),
    })
}

/// Frees all that the user half of a table tree refers to.
fn release_below(table: Frame, level: u32) {
    let entries = if level == 4 { layout::FIRST_KERNEL_ENTRY } else { 512 };
    for index in 0..entries {
        // SAFETY: the tree belongs to a space that nobody uses any more.
        let entry = unsafe { &layout::table(table)[index] };
        if !entry.is_unused() {
            let below = Frame::at(entry.addr().as_u64());
            if level > 1 {
                release_below(below, level - 1);
            }
            frame::release(below);
        }
    }
}

/// The tables' accessed bits tell which parts of the tree to look at.
fn take_accessed_below(table: Frame, level: u32, each: &mut impl FnMut(Frame)) {
    let entries = if level == 4 { layout::FIRST_KERNEL_ENTRY } else { 512 };
    for index in 0..entries {
        // SAFETY: the tree belongs to the current space, which the caller holds.
        let entry = unsafe { &mut layout::table(table)[index] };
        let flags = entry.flags();
        if flags.contains(Flags::PRESENT | Flags::ACCESSED) {
            entry.set_flags(flags - Flags::ACCESSED);
            let below = Frame::at(entry.addr().as_u64());
            if level > 1 {
                take_accessed_below(below, level - 1, each);
            } else {
                each(below);
            }
        }
    }
}

/// Switches one page; returns its flags.
#[inline(always)]
fn switch_one(page: u64, slot: Slot, frame: Frame, access: Tracking) -> Flags {
    let entry = slot.entry();
    let mut flags = entry.flags();
    assert!(flags.contains(Flags::PRESENT), "page {page:#x} is tracked but not mapped");
    flags.remove(Flags::WRITABLE | Flags::DIRTY | Flags::ACCESSED | WATCHED | STALE);
    if access != Tracking::Released {
        flags.insert(WATCHED);
    }
    if access == Tracking::Open && flags.contains(TRULY_WRITABLE) {
        flags.insert(Flags::WRITABLE);
    }
    entry.set_addr(PhysAddr::new_truncate(frame.address()), flags);
    flush_translation(page);
    flags
}

#[inline]
fn flush_translation(page: u64) {
    tlb::flush(x86_64::VirtAddr::new_truncate(page));
}

/// Flushes a page's translation for the kernel's own sake; what the tracker switches, the engine counts.
fn flush(page: u64) {
    tally::PAGES_INVALIDATED.add(1);
    flush_translation(page);
}

impl Space {
    /// An empty space, which becomes the current one.
    pub fn new(kernel_root: Frame, tracking: bool) -> Result<Self, OutOfFrames> {
        let space = Self::empty(kernel_root, tracking)?;
        space.activate();
        Ok(space)
    }

    fn empty(kernel_root: Frame, tracking: bool) -> Result<Self, OutOfFrames> {
        let root = frame::allocate()?;
        phys::with2(root, kernel_root, |root, kernel| {
            const HALF: usize = layout::FIRST_KERNEL_ENTRY * 8;
            root[..HALF].fill(0);
            root[HALF..].copy_from_slice(&kernel[HALF..]);
        });
        Ok(Self { root, kernel_root, tracking, disturbed: false, aliases: Aliases::default() })
    }

    /// Makes it the current space.
    pub fn activate(&self) {
        layout::switch_to(self.root);
    }

    /// A second space with the same pages. The shared ones are shared with it as
    /// well; all others are copied by the first who writes. It is not the current one.
    pub fn fork(&mut self) -> Result<Self, OutOfFrames> {
        let mut child = Self::empty(self.kernel_root, self.tracking)?;
        match self.fork_below(self.root, 4, 0, &mut child) {
            Ok(()) => Ok(child),
            Err(OutOfFrames) => {
                child.discard();
                Err(OutOfFrames)
            }
        }
    }

    fn fork_below(&mut self, table: Frame, level: u32, base: u64, to: &mut Self) -> Result<(), OutOfFrames> {
        let entries = if level == 4 { layout::FIRST_KERNEL_ENTRY } else { 512 };
        for index in 0..entries {
            // SAFETY: `table` belongs to this space; the entry is copied.
            let entry = unsafe { layout::table(table)[index].clone() };
            let address = base | (index as u64) << (12 + 9 * (level - 1));
            if entry.is_unused() {
            } else if level > 1 {
                self.fork_below(Frame::at(entry.addr().as_u64()), level - 1, address, to)?;
            } else {
                self.fork_page(address, Slot { table, index: index as u16 }, to)?;
            }
        }
        Ok(())
    }

    fn fork_page(&mut self, page: u64, slot: Slot, to: &mut Self) -> Result<(), OutOfFrames> {
        let entry = slot.entry();
        let Some(Mapping { frame, access, .. }) = mapping(entry) else { return Ok(()) };
        let mut sharing = sharing(entry.flags());
        if !sharing.contains(SHARED) {
            sharing = COPY_ON_WRITE;
            self.disturbed |= entry.flags().contains(WATCHED);
            entry.set_flags(flags(access, sharing, self.tracking));
            flush(page);
        }
        frame::share(frame)?;
        to.insert(page, frame, access, sharing).inspect_err(|_| frame::release(frame))
    }

    /// Gives everything back: pages, tables, and the space itself; no user space is
    /// the current one then.
    pub fn dismantle(self) {
        layout::switch_to(self.kernel_root);
        self.discard();
    }

    /// Gives everything back of a space that is not the current one.
    pub fn discard(self) {
        release_below(self.root, 4);
        frame::release(self.root);
    }

    fn check(page: u64) {
        assert!(
            page.is_multiple_of(PAGE_LEN) && page < USER_END,
            "{page:#x} is no page of user space: the caller checks"
        );
    }

    /// The table that maps `page`, if it and all tables above it are there.
    fn table(&self, page: u64) -> Option<Frame> {
        (2..=4).rev().try_fold(self.root, |table, level| {
            // SAFETY: `table` belongs to this space; the entry is only read.
            let entry = unsafe { &layout::table(table)[layout::index(page, level)] };
            (!entry.is_unused()).then(|| Frame::at(entry.addr().as_u64()))
        })
    }

    /// Where the table entry of `page` lies.
    fn slot(&self, page: u64) -> Option<Slot> {
        self.table(page).map(|table| Slot { table, index: layout::index(page, 1) as u16 })
    }

    /// The table entry of `page`, as it is now.
    fn entry(&self, page: u64) -> Option<PageTableEntry> {
        self.slot(page).map(|slot| slot.entry().clone())
    }

    /// Maps a frame at a page that has none; takes the frame over.
    fn insert(&mut self, page: u64, new: Frame, access: Access, sharing: Flags) -> Result<(), OutOfFrames> {
        Self::check(page);
        let mut current = self.root;
        for level in (2..=4).rev() {
            let upper = Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE;
            // SAFETY: `current` is a table of this space, and no user page is large.
            current =
                unsafe { layout::descend(&mut layout::table(current)[layout::index(page, level)], upper)? };
        }
        let slot = Slot { table: current, index: layout::index(page, 1) as u16 };
        assert!(slot.entry().is_unused(), "page {page:#x} is mapped already: the caller checks");
        if sharing.contains(SHARED) {
            // The tracker does not know this page: it has to open the frame anew.
            self.disturb_all(new);
            self.aliases.insert(new, page, slot)?;
        }
        slot.entry().set_addr(PhysAddr::new(new.address()), flags(access, sharing, self.tracking));
        Ok(())
    }

    /// Maps a fresh, zeroed frame at `page`.
    pub fn map_zeroed(&mut self, page: u64, access: Access) -> Result<(), OutOfFrames> {
        let new = frame::allocate()?;
        phys::clear(new);
        self.insert(page, new, access, Flags::empty()).inspect_err(|_| frame::release(new))
    }

    /// Maps a frame that somebody else has as well.
    pub fn map_shared(&mut self, page: u64, with: &SharedFrame, access: Access) -> Result<(), OutOfFrames> {
        let shared = with.frame();
        frame::share(shared)?;
        self.insert(page, shared, access, SHARED).inspect_err(|_| frame::release(shared))
    }

    /// Gives `page` a frame of its own if its frame was to be copied on write, and
    /// lets it be what `access` says. Returns whether that was so.
    pub fn own(&mut self, page: u64, access: Access) -> Result<bool, OutOfFrames> {
        Self::check(page);
        let Some(entry) = self.slot(page).map(Slot::entry) else { return Ok(false) };
        if !entry.flags().contains(COPY_ON_WRITE) {
            return Ok(false);
        }
        let before = Frame::at(entry.addr().as_u64());
        let mut own = before;
        if frame::is_shared(before) {
            own = frame::allocate()?;
            phys::with2(before, own, |before, own| *own = *before);
            frame::release(before);
        }
        entry.set_addr(PhysAddr::new(own.address()), flags(access, Flags::empty(), self.tracking));
        flush(page);
        Ok(true)
    }

    /// Whether the page in `slot` is a shared one.
    pub fn is_shared(&self, slot: Slot) -> bool {
        slot.entry().flags().contains(SHARED)
    }

    /// The kernel has written a shared frame other than through this space.
    pub fn note_write(&mut self, written: &SharedFrame) {
        self.disturbed |= self.aliases.note_write(written.frame());
    }

    /// Takes all pages of a shared frame away from the tracker.
    fn disturb_all(&mut self, home: Frame) {
        if !self.aliases.are_watched(home) {
            return;
        }
        for alias in self.aliases.watch(home, false) {
            let entry = alias.slot.entry();
            if entry.flags().contains(WATCHED) {
                entry.set_flags(entry.flags() - (WATCHED | STALE | Flags::WRITABLE));
                flush(alias.page);
                self.disturbed = true;
            }
        }
    }

    /// Unmaps `page` and frees its frame. Returns whether it was mapped.
    pub fn unmap(&mut self, page: u64) -> bool {
        self.remove(page).map(|(mapping, _)| frame::release(mapping.frame)).is_some()
    }

    fn remove(&mut self, page: u64) -> Option<(Mapping, Flags)> {
        Self::check(page);
        let entry = self.slot(page)?.entry();
        let mapping = mapping(entry)?;
        let sharing = sharing(entry.flags());
        self.disturbed |= entry.flags().contains(WATCHED);
        if sharing.contains(SHARED) {
            self.disturb_all(mapping.frame);
            self.aliases.remove(mapping.frame, page);
        }
        entry.set_unused();
        flush(page);
        Some((mapping, sharing))
    }

    /// Changes what `page` allows. Returns whether it is mapped.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        Self::check(page);
        let Some(entry) = self.slot(page).map(Slot::entry) else { return false };
        let Some(mapping) = mapping(entry) else { return false };
        let sharing = sharing(entry.flags());
        self.disturbed |= entry.flags().contains(WATCHED);
        if sharing.contains(SHARED) {
            self.disturb_all(mapping.frame);
        }
        entry.set_flags(flags(access, sharing, self.tracking));
        flush(page);
        true
    }

    /// Moves a page with its content. Returns whether it was mapped.
    pub fn relocate(&mut self, from: u64, to: u64) -> Result<bool, OutOfFrames> {
        let Some((Mapping { frame, access, .. }, sharing)) = self.remove(from) else { return Ok(false) };
        match self.insert(to, frame, access, sharing) {
            Ok(()) => Ok(true),
            Err(OutOfFrames) => {
                // The tables for `from` are still there, and its place in the list, so this
                // cannot fail.
                self.insert(from, frame, access, sharing)?;
                Err(OutOfFrames)
            }
        }
    }

    /// What is mapped at `page`.
    pub fn lookup(&self, page: u64) -> Option<Mapping> {
        self.find(page).map(|(mapping, _)| mapping)
    }

    /// Whether the processor lets user mode write `page` now.
    pub fn processor_may_write(&self, page: u64) -> bool {
        page < USER_END && self.entry(page).is_some_and(|entry| entry.flags().contains(Flags::WRITABLE))
    }

    /// What is mapped at `page`, and where its table entry lies.
    pub fn find(&self, page: u64) -> Option<(Mapping, Slot)> {
        let slot = if page < USER_END { self.slot(page)? } else { return None };
        Some((mapping(slot.entry())?, slot))
    }

    /// The tracker's switch: maps `page`, whose entry lies in `slot` and whose home
    /// is `home`, to `frame`, for that access and not written so
    /// far; with it all other pages of that home. What a page truly allows stays, and
    /// bounds it.
    #[inline(always)]
    pub fn switch(&mut self, page: u64, slot: Slot, home: Frame, frame: Frame, access: Tracking) {
        if switch_one(page, slot, frame, access).contains(SHARED) {
            self.switch_aliases(home, frame, access);
        }
    }

    #[cold]
    #[inline(never)]
    fn switch_aliases(&mut self, home: Frame, frame: Frame, access: Tracking) {
        for alias in self.aliases.watch(home, access != Tracking::Released) {
            tally::PAGES_INVALIDATED.add(1);
            switch_one(alias.page, alias.slot, frame, access);
        }
    }

    /// Calls `each` for the frame of every page that user mode accessed since the
    /// last time, and forgets that they were; flushes all translations, since the
    /// processor notes an access only when it fills one.
    pub fn take_accessed(&mut self, mut each: impl FnMut(Frame)) {
        take_accessed_below(self.root, 4, &mut each);
        tlb::flush_all();
    }

    /// Whether the processor has written through `slot`, or another page with that
    /// home, since it was switched.
    #[inline]
    pub fn is_written(&self, slot: Slot, home: Frame) -> bool {
        let flags = slot.entry().flags();
        flags.contains(Flags::DIRTY) || flags.contains(SHARED) && self.aliases.any(home, Flags::DIRTY)
    }

    /// Whether anything was done to a watched page since this was asked last.
    #[inline]
    pub fn disturbed(&mut self) -> bool {
        core::mem::take(&mut self.disturbed)
    }

    /// What was done to a watched page, or another one with its home, since it was
    /// switched or this was asked last.
    pub fn change(&mut self, slot: Slot, home: Frame) -> Change {
        let entry = slot.entry();
        let flags = entry.flags();
        if !flags.contains(WATCHED) {
            return Change::Mapping;
        }
        let shared = flags.contains(SHARED);
        let is_written = shared && self.aliases.take_stale(home);
        let stale = is_written || flags.contains(STALE) || shared && self.aliases.any(home, STALE);
        if !stale {
            return Change::None;
        }
        entry.set_flags(flags - STALE);
        if shared {
            for alias in self.aliases.of(home) {
                alias.slot.entry().set_flags(alias.slot.entry().flags() - STALE);
            }
        }
        Change::Content
    }

    /// Calls `work` for each piece of user memory in a range: slot, frame, offset,
    /// and which part of the range it is.
    fn pieces(
        &self,
        address: u64,
        length: usize,
        allowed: impl Fn(Access, Slot) -> bool,
        mut work: impl FnMut(Slot, Frame, usize, core::ops::Range<usize>),
    ) -> Result<(), BadAddress> {
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(BadAddress(address))?;
            let offset = (at % PAGE_LEN) as usize;
            let step = (PAGE_BYTES - offset).min(length - done);
            let found =
                self.find(at - offset as u64).filter(|(mapping, slot)| allowed(mapping.access, *slot));
            let (mapping, slot) = found.ok_or(BadAddress(at))?;
            work(slot, mapping.frame, offset, done..done + step);
            done += step;
        }
        Ok(())
    }

    /// Reads user memory that the process may read.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            into.len(),
            |access, _| access.read,
            |_, frame, offset, range| {
                phys::with(frame, |page| {
                    let length = range.len();
                    into[range].copy_from_slice(&page[offset..offset + length]);
                });
            },
        )
    }

    /// Writes to the pieces of a range; watched pages become stale.
    fn write_pieces(
        &mut self,
        address: u64,
        from: &[u8],
        allowed: impl Fn(Access) -> bool,
    ) -> Result<(), BadAddress> {
        let mut disturbed = false;
        let own = |slot: Slot| !slot.entry().flags().contains(COPY_ON_WRITE);
        let allowed = |access, slot| allowed(access) && own(slot);
        let done = self.pieces(address, from.len(), allowed, |slot, frame, offset, range| {
            let entry = slot.entry();
            if entry.flags().contains(WATCHED) {
                entry.set_flags(entry.flags() | STALE);
                disturbed = true;
            }
            phys::with(frame, |page| page[offset..offset + range.len()].copy_from_slice(&from[range]));
        });
        self.disturbed |= disturbed;
        done
    }

    /// Writes user memory that the process may truly write.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.write_pieces(address, from, |access| access.read && access.write)
    }

    /// The loader's write: whatever the pages allow, as long as they are the space's own.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.write_pieces(address, from, |_| true)
    }

    /// The loader's read: whatever the pages allow.
    pub fn peek(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            into.len(),
            |_, _| true,
            |_, frame, offset, range| {
                phys::with(frame, |page| {
                    let length = range.len();
                    into[range].copy_from_slice(&page[offset..offset + length]);
                });
            },
        )
    }
}
