// SPDX-License-Identifier: MIT
//! A user address space, and the two kinds of permission in it.
//!
//! What a page *truly* allows stands in its table entry: USER (readable),
//! no-execute, and a software bit for writable. The processor's own writable bit
//! is the tracker's: set only while a run may write the page's frame. So tracking
//! never widens what a page allows. Each frame is mapped at one place only.
//! User pages are never global and never large.

use pages::PAGE_LEN as PAGE_BYTES;
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
}

/// A user address space.
pub struct Space {
    root: Frame,
    /// What becomes current when this space is gone.
    kernel_root: Frame,
    /// Whether first writes are tracked; if not, writable pages are mapped so.
    tracking: bool,
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
        Ok(Self { root, kernel_root, tracking })
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

    /// The table entry of `page`, as it is now.
    fn entry(&self, page: u64) -> Option<PageTableEntry> {
        // SAFETY: the table belongs to this space; the entry is copied.
        self.table(page).map(|table| unsafe { layout::table(table)[layout::index(page, 1)].clone() })
    }

    /// The table entry of `page`, to be changed.
    fn entry_mut(&mut self, page: u64) -> Option<&mut PageTableEntry> {
        // SAFETY: the table belongs to this space, which is borrowed for as long.
        self.table(page).map(|table| unsafe { &mut layout::table(table)[layout::index(page, 1)] })
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
        let entry = self.entry_mut(page)?;
        let mapping = mapping(entry)?;
        entry.set_unused();
        flush(page);
        Some(mapping)
    }

    /// Changes what `page` allows. Returns whether it is mapped.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        Self::check(page);
        let tracking = self.tracking;
        let Some(entry) = self.entry_mut(page) else { return false };
        if mapping(entry).is_none() {
            return false;
        }
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
        if page >= USER_END {
            return None;
        }
        mapping(&self.entry(page)?)
    }

    /// Whether the processor lets user mode write `page` now.
    pub fn processor_may_write(&self, page: u64) -> bool {
        page < USER_END && self.entry(page).is_some_and(|entry| entry.flags().contains(Flags::WRITABLE))
    }

    /// The tracker's switch: maps `page` to `frame`, writable for the processor or
    /// not. What the page truly allows stays, and bounds it.
    pub fn set_frame(&mut self, page: u64, frame: Frame, writable: bool) {
        let entry = match self.entry_mut(page) {
            Some(entry) if !entry.is_unused() => entry,
            Some(_) | None => panic!("page {page:#x} is tracked but not mapped"),
        };
        let mut flags = entry.flags();
        flags.set(Flags::WRITABLE, writable && flags.contains(TRULY_WRITABLE));
        flags.remove(Flags::DIRTY | Flags::ACCESSED);
        entry.set_addr(PhysAddr::new(frame.address()), flags);
        flush(page);
    }

    /// Calls `work` for each piece of user memory in a range: frame, offset, and
    /// which part of the range it is.
    fn pieces(
        &self,
        address: u64,
        length: usize,
        allowed: impl Fn(Access) -> bool,
        mut work: impl FnMut(Frame, usize, core::ops::Range<usize>),
    ) -> Result<(), BadAddress> {
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(BadAddress(address))?;
            let offset = (at % PAGE_LEN) as usize;
            let step = (PAGE_BYTES - offset).min(length - done);
            let mapping = self.lookup(at - offset as u64).filter(|mapping| allowed(mapping.access));
            let mapping = mapping.ok_or(BadAddress(at))?;
            work(mapping.frame, offset, done..done + step);
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
            |frame, offset, range| {
                phys::with(frame, |page| {
                    let length = range.len();
                    into[range].copy_from_slice(&page[offset..offset + length]);
                });
            },
        )
    }

    /// Writes user memory that the process may truly write.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            from.len(),
            |access| access.read && access.write,
            |frame, offset, range| {
                phys::with(frame, |page| page[offset..offset + range.len()].copy_from_slice(&from[range]));
            },
        )
    }

    /// The loader's write: whatever the pages allow.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            from.len(),
            |_| true,
            |frame, offset, range| {
                phys::with(frame, |page| page[offset..offset + range.len()].copy_from_slice(&from[range]));
            },
        )
    }

    /// The loader's read: whatever the pages allow.
    pub fn peek(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.pieces(
            address,
            into.len(),
            |_| true,
            |frame, offset, range| {
                phys::with(frame, |page| {
                    let length = range.len();
                    into[range].copy_from_slice(&page[offset..offset + length]);
                });
            },
        )
    }
}
