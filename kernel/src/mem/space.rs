// SPDX-License-Identifier: MIT
//! A user address space, and the two kinds of permission in it.
//!
//! What a page *truly* allows stands in its table entry: USER (readable),
//! no-execute, and a software bit for writable. The processor's own writable bit
//! is the tracker's: set only while a run may write the page's frame. So tracking
//! never widens what a page allows. Each frame is mapped at one place only.
//! User pages are never global and never large.
//!
//! A page that the tracker maps writable is *watched*: another software bit says
//! so. Whatever the kernel does to a page takes that bit away or sets a third one
//! ([`Kept`]), so that the engine's copies never stand for what is no longer there.

use pages::PAGE_LEN as PAGE_BYTES;
use pe_replay::Kept;
use x86_64::PhysAddr;
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;
use x86_64::structures::paging::page_table::PageTableEntry;

use super::frame::{self, Frame};
use super::{layout, phys};

pub use super::frame::OutOfFrames;

/// Bytes in a page.
pub const PAGE_LEN: u64 = PAGE_BYTES as u64;
/// First address above user space: one page below 2^47, so that no SYSCALL can
/// have a non-canonical return address.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// The page is truly writable.
const TRULY_WRITABLE: Flags = Flags::BIT_9;
/// The tracker has mapped the page writable, and nothing has changed that since.
const WATCHED: Flags = Flags::BIT_10;
/// The kernel has written the page since the tracker mapped it.
const STALE: Flags = Flags::BIT_11;

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
    /// The entry.
    fn entry(self) -> &'static mut PageTableEntry {
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
}

fn flags(access: Access, tracking: bool) -> Flags {
    let mut flags = Flags::PRESENT;
    flags.set(Flags::USER_ACCESSIBLE, access.read);
    flags.set(Flags::NO_EXECUTE, !access.execute);
    flags.set(TRULY_WRITABLE, access.write);
    flags.set(Flags::WRITABLE, access.write && !tracking);
    flags
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

fn flush(page: u64) {
    tlb::flush(x86_64::VirtAddr::new_truncate(page));
}

impl Space {
    /// An empty space, which becomes the current one.
    pub fn new(kernel_root: Frame, tracking: bool) -> Result<Self, OutOfFrames> {
        let root = frame::allocate()?;
        phys::with2(root, kernel_root, |root, kernel| {
            const HALF: usize = layout::FIRST_KERNEL_ENTRY * 8;
            root[..HALF].fill(0);
            root[HALF..].copy_from_slice(&kernel[HALF..]);
        });
        layout::switch_to(root);
        Ok(Self { root, kernel_root, tracking, disturbed: false })
    }

    /// Gives everything back: pages, tables, and the space itself.
    pub fn dismantle(self) {
        layout::switch_to(self.kernel_root);
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
    fn insert(&mut self, page: u64, new: Frame, access: Access) -> Result<(), OutOfFrames> {
        Self::check(page);
        let mut current = self.root;
        for level in (2..=4).rev() {
            let upper = Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE;
            // SAFETY: `current` is a table of this space, and no user page is large.
            current =
                unsafe { layout::descend(&mut layout::table(current)[layout::index(page, level)], upper)? };
        }
        // SAFETY: likewise.
        let entry = unsafe { &mut layout::table(current)[layout::index(page, 1)] };
        assert!(entry.is_unused(), "page {page:#x} is mapped already: the caller checks");
        entry.set_addr(PhysAddr::new(new.address()), flags(access, self.tracking));
        Ok(())
    }

    /// Maps a fresh, zeroed frame at `page`.
    pub fn map_zeroed(&mut self, page: u64, access: Access) -> Result<(), OutOfFrames> {
        let new = frame::allocate()?;
        phys::clear(new);
        self.insert(page, new, access).inspect_err(|_| frame::release(new))
    }

    /// Unmaps `page` and frees its frame. Returns whether it was mapped.
    pub fn unmap(&mut self, page: u64) -> bool {
        self.remove(page).map(|mapping| frame::release(mapping.frame)).is_some()
    }

    fn remove(&mut self, page: u64) -> Option<Mapping> {
        Self::check(page);
        let entry = self.slot(page)?.entry();
        let mapping = mapping(entry)?;
        self.disturbed |= entry.flags().contains(WATCHED);
        entry.set_unused();
        flush(page);
        Some(mapping)
    }

    /// Changes what `page` allows. Returns whether it is mapped.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        Self::check(page);
        let tracking = self.tracking;
        let Some(entry) = self.slot(page).map(Slot::entry) else { return false };
        if mapping(entry).is_none() {
            return false;
        }
        self.disturbed |= entry.flags().contains(WATCHED);
        entry.set_flags(flags(access, tracking));
        flush(page);
        true
    }

    /// Moves a page with its content. Returns whether it was mapped.
    pub fn relocate(&mut self, from: u64, to: u64) -> Result<bool, OutOfFrames> {
        let Some(mapping) = self.remove(from) else { return Ok(false) };
        match self.insert(to, mapping.frame, mapping.access) {
            Ok(()) => Ok(true),
            Err(OutOfFrames) => {
                // The tables for `from` are still there, so this cannot fail.
                self.insert(from, mapping.frame, mapping.access)?;
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

    /// The tracker's switch: maps `page`, whose entry lies in `slot`, to `frame`,
    /// writable for the processor or not, and not written so far. What the page
    /// truly allows stays, and bounds it.
    #[inline]
    pub fn switch(&mut self, page: u64, slot: Slot, frame: Frame, writable: bool) {
        let entry = slot.entry();
        let mut flags = entry.flags();
        assert!(flags.contains(Flags::PRESENT), "page {page:#x} is tracked but not mapped");
        flags.remove(Flags::WRITABLE | Flags::DIRTY | Flags::ACCESSED | WATCHED | STALE);
        if writable && flags.contains(TRULY_WRITABLE) {
            flags.insert(Flags::WRITABLE | WATCHED);
        }
        entry.set_addr(PhysAddr::new_truncate(frame.address()), flags);
        flush(page);
    }

    /// Calls `each` for the frame of every page that user mode accessed since the
    /// last time, and forgets that they were; flushes all translations, since the
    /// processor notes an access only when it fills one.
    pub fn take_accessed(&mut self, mut each: impl FnMut(Frame)) {
        take_accessed_below(self.root, 4, &mut each);
        tlb::flush_all();
    }

    /// Whether the processor has written through `slot` since it was switched.
    #[inline]
    pub fn is_written(&self, slot: Slot) -> bool {
        slot.entry().flags().contains(Flags::DIRTY)
    }

    /// Whether anything was done to a watched page since this was asked last.
    #[inline]
    pub fn disturbed(&mut self) -> bool {
        core::mem::take(&mut self.disturbed)
    }

    /// What was done to a watched page since it was switched or this was asked last.
    pub fn kept(&mut self, slot: Slot) -> Kept {
        let entry = slot.entry();
        let mut flags = entry.flags();
        if !flags.contains(WATCHED) {
            Kept::Lost
        } else if flags.contains(STALE) {
            flags.remove(STALE);
            entry.set_flags(flags);
            Kept::Stale
        } else {
            Kept::Intact
        }
    }

    /// Calls `work` for each piece of user memory in a range: slot, frame, offset,
    /// and which part of the range it is.
    fn pieces(
        &self,
        address: u64,
        length: usize,
        allowed: impl Fn(Access) -> bool,
        mut work: impl FnMut(Slot, Frame, usize, core::ops::Range<usize>),
    ) -> Result<(), BadAddress> {
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(BadAddress(address))?;
            let offset = (at % PAGE_LEN) as usize;
            let step = (PAGE_BYTES - offset).min(length - done);
            let found = self.find(at - offset as u64).filter(|(mapping, _)| allowed(mapping.access));
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
            |access| access.read,
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

    /// The loader's write: whatever the pages allow.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.write_pieces(address, from, |_| true)
    }

    /// The loader's read: whatever the pages allow.
    pub fn peek(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            into.len(),
            |_| true,
            |_, frame, offset, range| {
                phys::with(frame, |page| {
                    let length = range.len();
                    into[range].copy_from_slice(&page[offset..offset + length]);
                });
            },
        )
    }
}
