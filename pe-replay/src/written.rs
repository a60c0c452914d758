// SPDX-License-Identifier: MIT
//! The pages that a PE wrote, and what stands in for them meanwhile.
//!
//! Each entry has three frames: *home*, where the page lives and run 1 works in
//! place; the *checkpoint*, a copy of it as it was before the PE (PM0); and run
//! 2's *second* copy of PM0. Both are taken when the page is opened, so that a
//! PE that began can always be turned. Outside a PE all pages are mapped to
//! their homes, read-only.
//!
//! Tracking is by frame: pages with the same home are one entry, and
//! [`Machine::map`] switches all of them together.

use arrayvec::ArrayVec;

use crate::compare::{Difference, Field};
use crate::drive::{Machine, MappedPage};
use crate::life::Run;
use crate::policy::MAX_DIRTY_PAGES;

/// Bytes in a page.
pub const PAGE_LEN: u64 = 4096;

struct WrittenPage<F> {
    page: MappedPage<F>,
    checkpoint: F,
    second: F,
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

    /// Whether the page that lives in `home` is in the set.
    pub fn contains(&self, home: F) -> bool {
        self.pages.iter().any(|entry| entry.page.home == home)
    }

    /// First-run treatment: checkpoints a page and lets run 1 write it.
    pub fn open<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut M,
        page: MappedPage<F>,
    ) -> Result<(), SetFull> {
        self.checkpoint(machine, page)?;
        machine.map(page, page.home, page.writable);
        Ok(())
    }

    /// Gives run 2 a copy of PM0 for every page that run 1 opened; once more
    /// after a counter miss.
    ///
    /// From here to [`commit`](Self::commit) or [`roll_back`](Self::roll_back)
    /// nothing maps a home writable.
    pub fn turn<M: Machine<Frame = F>>(&mut self, machine: &mut M) {
        for entry in &self.pages {
            machine.copy(entry.checkpoint, entry.second);
            machine.map(entry.page, entry.second, entry.page.writable);
        }
    }

    /// Opens a page that only run 2 is made to write, by a flip.
    pub fn open_second<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut M,
        page: MappedPage<F>,
    ) -> Result<(), SetFull> {
        let second = self.checkpoint(machine, page)?;
        machine.copy(page.home, second);
        machine.map(page, second, page.writable);
        Ok(())
    }

    /// Adds an entry with its checkpoint; returns run 2's frame, still unused.
    fn checkpoint<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut M,
        page: MappedPage<F>,
    ) -> Result<F, SetFull> {
        if self.pages.len() >= self.limit {
            return Err(SetFull);
        }
        let checkpoint = machine.allocate().ok_or(SetFull)?;
        let Some(second) = machine.allocate() else {
            machine.release(checkpoint);
            return Err(SetFull);
        };
        machine.copy(page.home, checkpoint);
        self.pages.push(WrittenPage { page, checkpoint, second });
        Ok(second)
    }

    /// The frame that `run` sees for the page that lives in `home`.
    pub fn current(&self, run: Run, home: F) -> F {
        match (run, self.pages.iter().find(|entry| entry.page.home == home)) {
            (Run::Second, Some(entry)) => entry.second,
            (Run::First, _) | (Run::Second, None) => home,
        }
    }

    /// The first byte on which the two runs differ. A page that one run left
    /// alone equals PM0 on that side, so this covers it too.
    pub fn first_difference<M: Machine<Frame = F>>(&self, machine: &mut M) -> Option<Difference> {
        self.pages.iter().find_map(|entry| {
            let offset = machine.first_difference(entry.page.home, entry.second)?;
            Some(Difference {
                field: Field::Memory,
                first: u64::from(machine.byte(entry.page.home, offset)),
                second: u64::from(machine.byte(entry.second, offset)),
                address: entry.page.address + u64::from(offset),
            })
        })
    }

    /// Makes what run 1 wrote the state of the process.
    pub fn commit<M: Machine<Frame = F>>(&mut self, machine: &mut M) {
        for entry in self.pages.drain(..) {
            machine.map(entry.page, entry.page.home, false);
            machine.release(entry.checkpoint);
            machine.release(entry.second);
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
