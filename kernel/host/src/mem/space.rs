// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/space.rs`: pages in a map, with the contract that
//! `kernel/src/selftest/contract.rs` holds both to. Of page tables, it takes frames for the
//! root of a fork only.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::page_cache::Lasting;
use super::shared::SharedFrame;
use crate::heap;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;
/// First address above user space.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// What a page allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Any access at all.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Executing.
    pub execute: bool,
}

/// There is no frame left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

/// The first address that could not be accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress(pub u64);

/// How a page shares its frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Own,
    Shared,
    CopyOnWrite,
    /// It may not be written, and is copied as soon as it may be.
    Cached,
}

#[derive(Clone)]
struct Page {
    access: Access,
    frame: SharedFrame,
    sharing: Sharing,
}

/// A user address space.
#[derive(Default)]
pub struct Space {
    pages: BTreeMap<u64, Page>,
    /// The root of the page tables, of a fork.
    _root: Option<SharedFrame>,
}

/// The parts of `length` bytes at `address` that lie in one page each: the page,
/// the offset in it, the offset from `address`, and the length.
fn parts(address: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = address + done as u64;
        let within = (at % PAGE_LEN) as usize;
        let part = (length - done).min(PAGE_LEN as usize - within);
        let found = (at - within as u64, within, done, part);
        done += part;
        (part > 0).then_some(found)
    })
}

impl Space {
    /// Maps a zeroed page.
    pub fn map_zeroed(&mut self, page: u64, access: Access) -> Result<(), OutOfFrames> {
        self.insert(page, Page { access, frame: SharedFrame::zeroed()?, sharing: Sharing::Own });
        Ok(())
    }

    /// Maps content that lasts; here nobody has it in common.
    pub fn map_lasting(&mut self, page: u64, content: Lasting, access: Access) -> Result<(), OutOfFrames> {
        let frame = SharedFrame::zeroed()?;
        frame.write(content.offset, content.bytes);
        let sharing = if access.write { Sharing::Own } else { Sharing::Cached };
        self.insert(page, Page { access, frame, sharing });
        Ok(())
    }

    fn check(page: u64) {
        assert!(page.is_multiple_of(PAGE_LEN) && page < USER_END, "{page:#x} is no page of user space");
    }

    fn insert(&mut self, at: u64, page: Page) {
        Self::check(at);
        let before = heap::outside(|| self.pages.insert(at, page));
        assert!(before.is_none(), "page {at:#x} is mapped already");
    }

    /// Fails where the kernel's space has no room to note down one more shared page.
    fn note_down() -> Result<(), OutOfFrames> {
        Vec::<[u64; 3]>::new().try_reserve_exact(1).map_err(|_| OutOfFrames)
    }

    /// Maps a frame that somebody else has as well.
    pub fn map_shared(&mut self, page: u64, with: &SharedFrame, access: Access) -> Result<(), OutOfFrames> {
        Self::note_down()?;
        super::frame::take_tables()?;
        self.insert(page, Page { access, frame: with.clone(), sharing: Sharing::Shared });
        Ok(())
    }

    /// Makes the frame of a page one that others can map as well.
    pub fn share(&mut self, page: u64) -> Result<Option<SharedFrame>, OutOfFrames> {
        Self::check(page);
        let own = |page: &&mut Page| matches!(page.sharing, Sharing::Own | Sharing::Shared);
        let Some(page) = self.pages.get_mut(&page).filter(own) else { return Ok(None) };
        Self::note_down()?;
        page.sharing = Sharing::Shared;
        Ok(Some(page.frame.clone()))
    }

    /// Whether a page has a frame of its own.
    pub fn has_own(&self, page: u64) -> bool {
        self.pages.get(&page).is_some_and(|page| page.sharing == Sharing::Own)
    }

    /// A second space with the same pages.
    pub fn beside(&self) -> Result<Self, OutOfFrames> {
        Ok(Self { pages: BTreeMap::new(), _root: Some(SharedFrame::zeroed()?) })
    }

    pub fn fork(&mut self) -> Result<Self, OutOfFrames> {
        let root = Some(SharedFrame::zeroed()?);
        for page in self.pages.values_mut().filter(|page| page.sharing != Sharing::Shared) {
            page.sharing = Sharing::CopyOnWrite;
        }
        for _ in self.pages.values().filter(|page| page.sharing == Sharing::Shared) {
            Self::note_down()?;
        }
        Ok(Self { pages: heap::outside(|| self.pages.clone()), _root: root })
    }

    /// Gives everything back.
    pub fn destroy(self) {}

    /// Gives a page that is to be copied on write a frame of its own.
    pub fn own(&mut self, page: u64, access: Access) -> Result<bool, OutOfFrames> {
        Self::check(page);
        let copied = |page: &&mut Page| matches!(page.sharing, Sharing::CopyOnWrite | Sharing::Cached);
        let Some(page) = self.pages.get_mut(&page).filter(copied) else { return Ok(false) };
        if Rc::strong_count(&page.frame.0) > 1 {
            let own = SharedFrame::zeroed()?;
            own.write(0, &page.frame.0.borrow().0);
            page.frame = own;
        }
        (page.access, page.sharing) = (access, Sharing::Own);
        Ok(true)
    }

    /// Nothing here has copies of its own.
    pub fn note_write(&mut self, _written: &SharedFrame) {}

    /// Unmaps a page; returns whether it was mapped.
    pub fn unmap(&mut self, page: u64) -> bool {
        Self::check(page);
        heap::outside(|| self.pages.remove(&page)).is_some()
    }

    /// What a page allows, if it is mapped.
    pub fn access(&self, page: u64) -> Option<Access> {
        self.pages.get(&page).map(|page| page.access)
    }

    /// The first page from `from` on, below `end`, that is mapped.
    /// How many page tables a processor would need, the top one apart.
    pub fn tables(&self) -> u64 {
        let tables = [21, 30, 39].map(|shift| {
            let mut last = None;
            self.pages.keys().filter(|page| last.replace(**page >> shift) != Some(**page >> shift)).count()
                as u64
        });
        tables.iter().sum()
    }

    pub fn next_mapped(&self, from: u64, end: u64) -> Option<u64> {
        self.pages.range(from..end.max(from)).next().map(|(page, _)| *page)
    }

    /// Changes a page's permissions; returns whether it was mapped.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        Self::check(page);
        let Some(page) = self.pages.get_mut(&page) else { return false };
        page.access = access;
        if access.write && page.sharing == Sharing::Cached {
            page.sharing = Sharing::Own;
        }
        true
    }

    /// Moves a page with its content; returns whether it was mapped.
    pub fn relocate(&mut self, from: u64, to: u64) -> Result<bool, OutOfFrames> {
        Self::check(from);
        let Some(page) = heap::outside(|| self.pages.remove(&from)) else { return Ok(false) };
        self.insert(to, page);
        Ok(true)
    }

    /// Pages that are mapped.
    pub fn mapped(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Reads what the program may read.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        for (page, within, done, length) in parts(address, into.len()) {
            let found = self.pages.get(&page).filter(|page| page.access.read);
            let found = found.ok_or(BadAddress(address + done as u64))?;
            found.frame.read(within, &mut into[done..done + length]);
        }
        Ok(())
    }

    /// Reads whatever is mapped.
    pub fn peek(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        for (page, within, done, length) in parts(address, into.len()) {
            let found = self.pages.get(&page).ok_or(BadAddress(address + done as u64))?;
            found.frame.read(within, &mut into[done..done + length]);
        }
        Ok(())
    }

    /// Writes what the program may write.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.put(address, from, |access| access.read && access.write)
    }

    /// Writes whatever is mapped.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.put(address, from, |_| true)
    }

    fn put(&mut self, address: u64, from: &[u8], may: fn(Access) -> bool) -> Result<(), BadAddress> {
        for (page, within, done, length) in parts(address, from.len()) {
            let may =
                |page: &&Page| may(page.access) && matches!(page.sharing, Sharing::Own | Sharing::Shared);
            let found = self.pages.get(&page).filter(may).ok_or(BadAddress(address + done as u64))?;
            found.frame.write(within, &from[done..done + length]);
        }
        Ok(())
    }
}
