// SPDX-License-Identifier: MIT
//! A process's memory: areas, and the pages of them that are there.
//!
//! Pages come on demand: an area promises zeroed pages, the first access to one
//! (the program's page fault, or the kernel's copy in a system call) maps it.
//! Pages with content of a file are mapped with the area; those of shared memory are
//! taken from the [`Pages`](super::pages::Pages) behind it.

use alloc::vec::Vec;

use pe_replay::stop::{FAULT_FETCH, FAULT_WRITE};

use super::area::{Area, Areas, Kind};
use super::errno::{EEXIST, ENOMEM, Errno};
use super::on_fork::{ChildGets, OnFork};
use super::pages::Object;
use super::resident::Resident;
use crate::mem::fallible::{self, Exhausted};
use crate::mem::page_cache::Lasting;
use crate::mem::sorted::Place;
use crate::mem::space::{Access, OutOfFrames, PAGE_LEN, Space, USER_END};

/// The lowest address that a mapping gets (Linux's `vm.mmap_min_addr`).
pub const MMAP_MIN: u64 = 0x1_0000;
/// Length of the stack's area.
pub const STACK_LEN: u64 = 8 << 20;
/// Addresses below the stack that are never given away unasked.
pub const STACK_GUARD_LEN: u64 = 1 << 20;
/// The first address above the room for mappings, which grow downwards.
pub const MMAP_TOP: u64 = USER_END - STACK_LEN - STACK_GUARD_LEN;

/// What an access wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Read data.
    Read,
    /// Write data.
    Write,
    /// Fetch an instruction.
    Fetch,
}

impl Intent {
    /// Whether `access` permits it.
    fn is_permitted(self, access: Access) -> bool {
        match self {
            Self::Read => access.read,
            Self::Write => access.write,
            Self::Fetch => access.execute,
        }
    }
}

impl From<u32> for Intent {
    /// What a page fault with this error code wanted.
    fn from(error: u32) -> Self {
        if error & FAULT_FETCH != 0 {
            Self::Fetch
        } else if error & FAULT_WRITE != 0 {
            Self::Write
        } else {
            Self::Read
        }
    }
}

/// Why a page cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is mapped there, or the access is not permitted.
    Denied,
    /// The page lies behind the end of the mapped file.
    PastEnd,
    /// There is no frame left for it, or no room to note it down.
    OutOfMemory,
}

/// A page that an access may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It was there, with the permission asked for.
    Present,
    /// It is there now.
    Mapped,
}

/// Shared pages that areas are of.
struct Attached {
    id: u64,
    object: Object,
    /// How often it had been cut when this process looked last.
    cuts: u32,
    /// How many bytes of areas are of it.
    mapped: u64,
}

/// The memory of a process.
pub struct Memory {
    areas: Areas,
    resident: Resident,
    /// In the order of their numbers.
    objects: Vec<Attached>,
    /// What children do not get.
    pub on_fork: OnFork,
    /// How often any object had been cut when this process looked last.
    cuts: u64,
    /// Where the heap begins.
    heap_start: u64,
    /// The program break.
    heap_break: u64,
    /// More than this is refused at once.
    commit_limit: u64,
}

/// The first page boundary at or above `address`.
pub fn page_up(address: u64) -> Option<u64> {
    address.checked_next_multiple_of(PAGE_LEN)
}

/// The page that `address` lies in.
pub fn page_down(address: u64) -> u64 {
    address & !(PAGE_LEN - 1)
}

/// Which shared pages an area is of, if it is of any.
fn of(area: Area) -> Option<u64> {
    if let Kind::Shared { object, .. } = area.kind { Some(object) } else { None }
}

fn find(objects: &mut [Attached], id: u64) -> Option<&mut Attached> {
    let index = objects.binary_search_by_key(&id, |attached| attached.id).ok()?;
    objects.get_mut(index)
}

impl Memory {
    /// No memory at all; never more than `commit_limit` bytes in one writable mapping.
    pub fn new(commit_limit: u64) -> Self {
        Self {
            areas: Areas::default(),
            resident: Resident::default(),
            objects: Vec::new(),
            on_fork: OnFork::default(),
            cuts: 0,
            heap_start: 0,
            heap_break: 0,
            commit_limit,
        }
    }

    /// The memory of another process, whose space is a fork of this one's.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        let copies = self.objects.iter().map(|it| Attached { object: it.object.clone(), ..*it });
        let objects = fallible::collect(copies)?;
        Ok(Self {
            areas: self.areas.fork()?,
            resident: self.resident.fork()?,
            objects,
            on_fork: self.on_fork.fork()?,
            cuts: self.cuts,
            heap_start: self.heap_start,
            heap_break: self.heap_break,
            commit_limit: self.commit_limit,
        })
    }

    /// What is advised for children is done: this is a child's memory, and `space` its own.
    pub fn begin(&mut self, space: &mut Space) -> Result<(), Exhausted> {
        let mut from = 0;
        while let Some((start, end, gets)) = self.on_fork.next(from) {
            match gets {
                ChildGets::Nothing => self.unmap(space, start, end)?,
                ChildGets::Zeros => self.discard(space, start, end)?,
            }
            from = end;
        }
        Ok(())
    }

    /// Zeros shared pages of which areas are.
    pub fn clear_shared(&mut self, object: u64, offset: u64, length: u64) {
        if let Some(attached) = self.objects.iter().find(|attached| attached.id == object) {
            attached.object.borrow_mut().clear(offset, length);
        }
    }

    /// How many pages are there.
    pub fn resident_pages(&self) -> u64 {
        self.resident_len(0, USER_END) / PAGE_LEN
    }

    /// How many bytes of pages are there between two addresses.
    pub fn resident_len(&self, start: u64, end: u64) -> u64 {
        let (mut from, mut length) = (start, 0);
        while let Some(run) = self.resident.first_between(from, end) {
            length += run.end - run.start;
            from = run.end;
        }
        length
    }

    /// Where the heap begins.
    pub fn heap_start(&self) -> u64 {
        self.heap_start
    }

    /// The areas.
    pub fn areas(&self) -> &Areas {
        &self.areas
    }

    /// Whether one writable mapping of `length` bytes is more than there is memory.
    pub fn exceeds_commit(&self, length: u64) -> bool {
        length > self.commit_limit
    }

    /// Adds an area, in place of whatever was there.
    pub fn map(&mut self, space: &mut Space, area: Area) -> Result<(), Exhausted> {
        self.unmap(space, area.start, area.end)?;
        let attached = of(area).map(|id| find(&mut self.objects, id).ok_or(Exhausted)).transpose()?;
        self.areas.insert(area)?;
        if let Some(attached) = attached {
            attached.mapped += area.end - area.start;
        }
        Ok(())
    }

    /// Adds an area of shared pages, in place of whatever was there.
    pub fn map_shared(&mut self, space: &mut Space, area: Area, object: &Object) -> Result<(), Exhausted> {
        self.unmap(space, area.start, area.end)?;
        let (id, cuts) = (object.borrow().id(), object.borrow().cuts());
        if let Err(index) = self.objects.binary_search_by_key(&id, |attached| attached.id) {
            let attached = Attached { id, object: object.clone(), cuts, mapped: 0 };
            fallible::insert(&mut self.objects, index, attached)?;
        }
        self.map(space, area).inspect_err(|_| self.objects.retain(|attached| attached.mapped > 0))
    }

    /// Takes away everything between two addresses. Nothing is changed on error.
    pub fn unmap(&mut self, space: &mut Space, start: u64, end: u64) -> Result<(), Exhausted> {
        if self.on_fork.can_forget(start, end) { self.take_back(space, start, end) } else { Err(Exhausted) }
    }

    /// Takes away what was only just mapped between two addresses, as [`unmap`](Self::unmap) does,
    /// whatever was advised beside it.
    pub fn take_back(&mut self, space: &mut Space, start: u64, end: u64) -> Result<(), Exhausted> {
        self.resident.reserve_cut(start, end)?;
        self.on_fork.reserve()?;
        let Self { areas, objects, .. } = self;
        let mut is_one_gone = false;
        areas.remove(start, end, |area| {
            if let Some(attached) = of(area).and_then(|id| find(objects, id)) {
                attached.mapped -= area.end - area.start;
                is_one_gone |= attached.mapped == 0;
            }
        })?;
        self.on_fork.forget(start, end)?;
        self.discard(space, start, end)?;
        if is_one_gone {
            self.objects.retain(|attached| attached.mapped > 0);
        }
        Ok(())
    }

    /// Makes sure that the next [`unmap`](Self::unmap) between these addresses succeeds if no
    /// page is there any more.
    pub fn reserve_unmap(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        if !self.on_fork.can_forget(start, end) {
            return Err(Exhausted);
        }
        self.on_fork.reserve()?;
        self.areas.reserve_cuts(start, end)
    }

    /// Whether any area is of shared pages, and some were cut since this process looked
    /// last; `cuts` is how often any were.
    #[inline]
    pub fn is_behind(&self, cuts: u64) -> bool {
        !self.objects.is_empty() && self.cuts != cuts
    }

    /// Gives back the pages of what was cut since the last call: those that are still
    /// there come again on demand. `cuts` is how often anything was cut so far.
    #[cold]
    #[inline(never)]
    pub fn catch_up(&mut self, space: &mut Space, cuts: u64) -> Result<(), Exhausted> {
        if !self.is_behind(cuts) {
            return Ok(());
        }
        for index in 0..self.areas.all().len() {
            let area = self.areas.all()[index];
            let attached = of(area).and_then(|id| find(&mut self.objects, id));
            if attached.is_some_and(|attached| attached.object.borrow().cuts() != attached.cuts) {
                self.discard(space, area.start, area.end)?;
            }
        }
        for attached in &mut self.objects {
            attached.cuts = attached.object.borrow().cuts();
        }
        self.cuts = cuts;
        Ok(())
    }

    /// Gives back the pages between two addresses; the areas stay. Nothing is changed on error.
    pub fn discard(&mut self, space: &mut Space, start: u64, end: u64) -> Result<(), Exhausted> {
        self.resident.reserve_cut(start, end)?;
        let mut from = start;
        while let Some(run) = self.resident.first_between(from, end) {
            for page in run.clone().step_by(PAGE_LEN as usize) {
                space.unmap(page);
            }
            from = run.end;
        }
        self.resident.remove(start, end)
    }

    /// Changes the permissions of everything between two addresses.
    pub fn protect(
        &mut self,
        space: &mut Space,
        start: u64,
        end: u64,
        access: Access,
    ) -> Result<(), Exhausted> {
        self.areas.set_access(start, end, access)?;
        let mut from = start;
        while let Some(run) = self.resident.first_between(from, end) {
            for page in run.clone().step_by(PAGE_LEN as usize) {
                space.protect(page, access);
            }
            from = run.end;
        }
        Ok(())
    }

    /// Makes sure that an access to `address` can go on.
    pub fn resolve(&mut self, space: &mut Space, address: u64, intent: Intent) -> Result<Resolved, Fault> {
        let area = self.areas.find(address).ok_or(Fault::Denied)?;
        if !intent.is_permitted(area.access) {
            return Err(Fault::Denied);
        }
        if area.kind == Kind::PastEnd {
            return Err(Fault::PastEnd);
        }
        let page = page_down(address);
        let Err(place) = self.resident.find(page) else {
            let own = intent == Intent::Write
                && space.own(page, area.access).map_err(|OutOfFrames| Fault::OutOfMemory)?;
            return Ok(if own { Resolved::Mapped } else { Resolved::Present });
        };
        if let Kind::Shared { object, delta, .. } = area.kind {
            let offset = page.wrapping_add(delta);
            return self.add_shared(space, (page, place), area.access, object, offset);
        }
        self.add_page(space, (page, place), area.access).map_err(|OutOfFrames| Fault::OutOfMemory)?;
        Ok(Resolved::Mapped)
    }

    /// Maps the page at `offset` of an object where there is none.
    fn add_shared(
        &mut self,
        space: &mut Space,
        (page, place): (u64, Place),
        access: Access,
        object: u64,
        offset: u64,
    ) -> Result<Resolved, Fault> {
        let attached = find(&mut self.objects, object).ok_or(Fault::Denied)?;
        let mut pages = attached.object.borrow_mut();
        if offset >= pages.length() {
            return Err(Fault::PastEnd);
        }
        let place = self.resident.reserve(place).map_err(|Exhausted| Fault::OutOfMemory)?;
        let shared = pages.page(offset / PAGE_LEN).map_err(|OutOfFrames| Fault::OutOfMemory)?;
        space.map_shared(page, shared, access).map_err(|OutOfFrames| Fault::OutOfMemory)?;
        self.resident.insert(place, page).map_err(|Exhausted| Fault::OutOfMemory)?;
        Ok(Resolved::Mapped)
    }

    /// Maps a zeroed page where there is none, whatever area it is in.
    fn add_page(
        &mut self,
        space: &mut Space,
        (page, place): (u64, Place),
        access: Access,
    ) -> Result<(), OutOfFrames> {
        let place = self.resident.reserve(place).map_err(|Exhausted| OutOfFrames)?;
        space.map_zeroed(page, access)?;
        self.resident.insert(place, page).map_err(|Exhausted| OutOfFrames)
    }

    /// Writes content into an area as [`fill`](Self::fill) does. The content lasts: pages that may not be written
    /// are not copied, but mapped from the page cache.
    pub fn fill_lasting(
        &mut self,
        space: &mut Space,
        address: u64,
        bytes: &'static [u8],
    ) -> Result<(), OutOfFrames> {
        let (mut at, mut rest) = (address, bytes);
        while !rest.is_empty() {
            let page = page_down(at);
            let offset = (at - page) as usize;
            let (here, behind) = rest.split_at(rest.len().min(PAGE_LEN as usize - offset));
            let access = self.areas.find(page).ok_or(OutOfFrames)?.access;
            match self.resident.find(page) {
                Err(place) => {
                    let place = self.resident.reserve(place).map_err(|Exhausted| OutOfFrames)?;
                    space.map_lasting(page, Lasting::new(here, offset), access)?;
                    self.resident.insert(place, page).map_err(|Exhausted| OutOfFrames)?;
                }
                Ok(_) => self.fill(space, at, here)?,
            }
            (at, rest) = (page + PAGE_LEN, behind);
        }
        Ok(())
    }

    /// Writes content into an area, whatever its permissions, and maps its pages.
    ///
    /// All of `bytes` has to lie in areas.
    pub fn fill(&mut self, space: &mut Space, address: u64, bytes: &[u8]) -> Result<(), OutOfFrames> {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let page = page_down(at);
            let (here, behind) = rest.split_at(rest.len().min((page + PAGE_LEN - at) as usize));
            let access = self.areas.find(page).ok_or(OutOfFrames)?.access;
            if let Err(place) = self.resident.find(page) {
                self.add_page(space, (page, place), access)?;
            }
            space.load(at, here).map_err(|_| OutOfFrames)?;
            at = page + PAGE_LEN;
            rest = behind;
        }
        Ok(())
    }

    /// Moves what lies between two addresses to `target`, where nothing may be.
    pub fn relocate(
        &mut self,
        space: &mut Space,
        start: u64,
        end: u64,
        target: u64,
    ) -> Result<(), OutOfFrames> {
        while let Some(run) = self.resident.first_between(start, end) {
            for page in run.step_by(PAGE_LEN as usize) {
                let to = target + (page - start);
                let Err(place) = self.resident.find(to) else { return Err(OutOfFrames) };
                let place = self.resident.reserve(place).map_err(|Exhausted| OutOfFrames)?;
                space.relocate(page, to)?;
                self.resident.insert(place, to).map_err(|Exhausted| OutOfFrames)?;
                self.resident.remove(page, page + PAGE_LEN).map_err(|Exhausted| OutOfFrames)?;
            }
        }
        Ok(())
    }

    /// Adds the stack's area; returns the first address above it.
    pub fn map_stack(&mut self, space: &mut Space, access: Access) -> Result<u64, Errno> {
        let start = USER_END - STACK_LEN;
        if !self.areas.is_free(start, USER_END) {
            return Err(EEXIST);
        }
        self.map(space, Area { start, end: USER_END, access, kind: Kind::Stack })?;
        Ok(USER_END)
    }

    /// Lets the heap begin, empty, at the first page boundary at or above `address`.
    pub fn start_heap(&mut self, address: u64) {
        self.heap_start = page_up(address).unwrap_or(USER_END);
        self.heap_break = self.heap_start;
    }

    /// `brk`: moves the program break, if that is possible; returns where it is.
    pub fn set_break(&mut self, space: &mut Space, wanted: u64) -> u64 {
        if self.try_set_break(space, wanted).is_ok() {
            self.heap_break = wanted;
        }
        self.heap_break
    }

    fn try_set_break(&mut self, space: &mut Space, wanted: u64) -> Result<(), Errno> {
        const RW: Access = Access { read: true, write: true, execute: false };
        if wanted < self.heap_start {
            return Err(ENOMEM);
        }
        let old_end = page_up(self.heap_break).ok_or(ENOMEM)?;
        let new_end = page_up(wanted).filter(|end| *end <= USER_END).ok_or(ENOMEM)?;
        if new_end < old_end {
            self.unmap(space, new_end, old_end)?;
        } else if new_end > old_end {
            // One page stays free above the heap, as on Linux.
            if self.exceeds_commit(new_end - old_end) || !self.areas.is_free(old_end, new_end + PAGE_LEN) {
                return Err(ENOMEM);
            }
            self.map(space, Area { start: old_end, end: new_end, access: RW, kind: Kind::Heap })?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Memory {
    /// Leaves so much room in each list: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        self.areas.tighten(room);
        self.resident.tighten(room);
        self.objects.shrink_to(self.objects.len() + room);
        for attached in &self.objects {
            attached.object.borrow_mut().tighten(room);
        }
    }

    /// Fails if the pages that are mapped are not those that are noted down, or lie in no area.
    pub fn audit(&self, space: &Space) {
        assert_eq!(self.resident.audit(), space.mapped());
        let mut from = 0;
        while let Some(run) = self.resident.first_between(from, USER_END) {
            assert_eq!(self.areas.first_hole(run.start, run.end), None);
            from = run.end;
        }
        for area in self.areas.all() {
            if let Kind::Shared { object, .. } = area.kind {
                assert!(self.objects.iter().any(|attached| attached.id == object), "{area:x?}");
            }
        }
    }
}
