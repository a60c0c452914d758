// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/space.rs`: pages in a map, the same contract.

use std::collections::BTreeMap;

use super::frame;

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

struct Page {
    access: Access,
    bytes: Box<[u8; PAGE_LEN as usize]>,
}

/// A user address space.
#[derive(Default)]
pub struct Space {
    pages: BTreeMap<u64, Page>,
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
        assert!(page.is_multiple_of(PAGE_LEN) && page < USER_END, "{page:#x} is no page of user space");
        frame::take()?;
        let page_before = self.pages.insert(page, Page { access, bytes: Box::new([0; PAGE_LEN as usize]) });
        assert!(page_before.is_none(), "page {page:#x} is mapped already");
        Ok(())
    }

    /// Unmaps a page; returns whether it was mapped.
    pub fn unmap(&mut self, page: u64) -> bool {
        let was_mapped = self.pages.remove(&page).is_some();
        if was_mapped {
            frame::give();
        }
        was_mapped
    }

    /// Changes a page's permissions; returns whether it was mapped.
    pub fn protect(&mut self, page: u64, access: Access) -> bool {
        self.pages.get_mut(&page).map(|page| page.access = access).is_some()
    }

    /// Moves a page with its content; returns whether it was mapped.
    pub fn relocate(&mut self, from: u64, to: u64) -> Result<bool, OutOfFrames> {
        let Some(page) = self.pages.remove(&from) else { return Ok(false) };
        assert!(self.pages.insert(to, page).is_none(), "page {to:#x} is mapped already");
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
            let bytes = &found.ok_or(BadAddress(address + done as u64))?.bytes;
            into[done..done + length].copy_from_slice(&bytes[within..within + length]);
        }
        Ok(())
    }

    /// Writes what the program may write.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.put(address, from, |access| access.write)
    }

    /// Writes whatever is mapped.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.put(address, from, |_| true)
    }

    fn put(&mut self, address: u64, from: &[u8], may: fn(Access) -> bool) -> Result<(), BadAddress> {
        for (page, within, done, length) in parts(address, from.len()) {
            let found = self.pages.get_mut(&page).filter(|page| may(page.access));
            let bytes = &mut found.ok_or(BadAddress(address + done as u64))?.bytes;
            bytes[within..within + length].copy_from_slice(&from[done..done + length]);
        }
        Ok(())
    }
}
