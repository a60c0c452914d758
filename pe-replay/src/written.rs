// SPDX-License-Identifier: MIT
//! The pages that a PE wrote, and what stands in for them meanwhile.
//!
//! Each entry has up to three frames: *home*, where the page lives and run 1
//! works in place; the *checkpoint*, a copy of it as it was before the PE (PM0);
//! and, once run 1 has ended, run 2's *second* copy of PM0. Outside a PE all
//! pages are mapped to their homes, read-only.

use arrayvec::ArrayVec;

use crate::compare::{Difference, Field};
use crate::drive::{Machine, MappedPage};
use crate::policy::MAX_DIRTY_PAGES;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;

struct WrittenPage<F> {
    page: MappedPage<F>,
    checkpoint: F,
    second: Option<F>,
}

/// The written pages of the PE that is being executed.
pub struct WrittenSet<F> {
    pages: ArrayVec<WrittenPage<F>, { MAX_DIRTY_PAGES as usize }>,
    limit: usize,
}

/// The set, or the machine's frames for it, are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetFull;

impl<F: Copy + Eq> WrittenSet<F> {
    /// An empty set for at most `limit` pages.
    pub fn new(limit: u16) -> Self {
        Self { pages: ArrayVec::new(), limit: usize::from(limit.min(MAX_DIRTY_PAGES)) }
    }

    /// Pages in the set.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Whether the page at `address` is in the set.
    pub fn contains(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    fn find(&self, address: u64) -> Option<usize> {
        let page = address & !(PAGE_LEN - 1);
        self.pages.iter().position(|entry| entry.page.address == page)
    }

    /// First-run treatment: checkpoints a page and lets run 1 write it.
    pub fn open<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut M,
        page: MappedPage<F>,
    ) -> Result<(), SetFull> {
        if self.pages.len() >= self.limit {
            return Err(SetFull);
        }
        let checkpoint = machine.allocate().ok_or(SetFull)?;
        machine.copy(page.home, checkpoint);
        machine.map(page, page.home, page.writable);
        self.pages.push(WrittenPage { page, checkpoint, second: None });
        Ok(())
    }

    /// Gives run 2 a copy of PM0 for every page that run 1 opened.
    ///
    /// From here to [`commit`](Self::commit) or [`roll_back`](Self::roll_back)
    /// nothing maps a home writable.
    pub fn turn<M: Machine<Frame = F>>(&mut self, machine: &mut M) -> Result<(), SetFull> {
        for entry in &mut self.pages {
            let second = match entry.second {
                Some(second) => second,
                None => *entry.second.insert(machine.allocate().ok_or(SetFull)?),
            };
            machine.copy(entry.checkpoint, second);
            machine.map(entry.page, second, entry.page.writable);
        }
        Ok(())
    }

    /// Opens a page that only run 2 is made to write, by a flip.
    pub fn open_second<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut M,
        page: MappedPage<F>,
    ) -> Result<(), SetFull> {
        self.open(machine, page)?;
        let Some(entry) = self.pages.last_mut() else { return Err(SetFull) };
        let second = *entry.second.insert(machine.allocate().ok_or(SetFull)?);
        machine.copy(page.home, second);
        machine.map(page, second, page.writable);
        Ok(())
    }

    /// The frame that the current run sees at `address`, if the page is in the set.
    pub fn current(&self, address: u64) -> Option<F> {
        let entry = &self.pages[self.find(address)?];
        Some(entry.second.unwrap_or(entry.page.home))
    }

    /// The first byte on which the two runs differ. A page that one run left
    /// alone equals PM0 on that side, so this covers it too.
    pub fn first_difference<M: Machine<Frame = F>>(&self, machine: &mut M) -> Option<Difference> {
        self.pages.iter().find_map(|entry| {
            let second = entry.second.unwrap_or(entry.checkpoint);
            let offset = machine.first_difference(entry.page.home, second)?;
            Some(Difference {
                field: Field::Memory,
                first: u64::from(machine.byte(entry.page.home, offset)),
                second: u64::from(machine.byte(second, offset)),
                address: entry.page.address + u64::from(offset),
            })
        })
    }

    /// Makes what run 1 wrote the state of the process.
    pub fn commit<M: Machine<Frame = F>>(&mut self, machine: &mut M) {
        for entry in self.pages.drain(..) {
            machine.map(entry.page, entry.page.home, false);
            machine.release(entry.checkpoint);
            if let Some(second) = entry.second {
                machine.release(second);
            }
        }
    }

    /// Puts PM0 back.
    pub fn roll_back<M: Machine<Frame = F>>(&mut self, machine: &mut M) {
        for entry in &self.pages {
            machine.copy(entry.checkpoint, entry.page.home);
        }
        self.commit(machine);
    }
}
